"""Where a text begins and where it may end."""

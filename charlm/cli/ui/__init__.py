"""What the commands show: help pages, consoles, progress bars and texts."""

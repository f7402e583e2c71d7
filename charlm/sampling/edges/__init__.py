"""Where a text begins, and the stop texts before which it ends."""

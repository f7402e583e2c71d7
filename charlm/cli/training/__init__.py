"""A run of `charlm train` in the terminal: its processes and seeds, its display, and its report."""

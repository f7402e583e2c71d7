"""A run of `charlm train` in the terminal: its processes, its seeds and its display."""

"""What the commands show: help pages, consoles, progress bars, charts and texts."""

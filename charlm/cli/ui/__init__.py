"""What all commands show things with: help pages, consoles, progress bars, numbers and records."""

"""What the commands show: consoles, progress, charts, texts."""

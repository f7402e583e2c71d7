"""Model files, run folders and their logs."""

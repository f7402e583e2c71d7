"""Files: models, run folders and their logs."""

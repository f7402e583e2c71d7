"""What a command prints, one file per command; a short report is in the command's own file."""

"""Options that commands share, and the options of `train` and `sample`."""

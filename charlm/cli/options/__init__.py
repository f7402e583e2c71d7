"""The options of `train` and `sample`, and options that several commands share."""

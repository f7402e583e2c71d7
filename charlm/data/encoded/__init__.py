"""The documents of a text as numbers: token ids and label codes, and the files of the splits."""

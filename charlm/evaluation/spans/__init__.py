"""The scores of the parts of a text: its documents, lines, sentences or words."""

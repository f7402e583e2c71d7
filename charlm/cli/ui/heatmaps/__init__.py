"""Heat maps in a terminal: a text whose characters are shaded by a figure."""

"""What single units of a model follow in a text."""

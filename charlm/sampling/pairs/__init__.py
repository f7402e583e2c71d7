"""Models of pairs: targets that are written and scored, each given its source."""

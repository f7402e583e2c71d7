"""Fills a gap between two texts with two models, one for each reading direction."""

"""Charts drawn with characters: curves of runs, and gradients on a log scale."""

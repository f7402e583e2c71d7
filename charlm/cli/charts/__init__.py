"""What commands draw with characters: curves of runs, and bars of scores."""

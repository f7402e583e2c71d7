"""How gradients vanish, explode or are carried through time."""

"""The automata of the single constraints."""

"""Constraints on what is written: automata over bytes, and the search for likely texts that they accept."""

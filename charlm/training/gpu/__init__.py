"""What keeps a GPU from waiting for the rest of a step."""

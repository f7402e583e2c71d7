"""What a model's states know about labels it was never told."""

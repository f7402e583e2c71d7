"""What a model's states reveal about labels it was not trained on, and steering directions found from such labels."""

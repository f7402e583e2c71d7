"""From what a person names as text to windows of token ids."""

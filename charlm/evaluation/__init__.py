"""How well a model predicts a text, and what it is compared with."""

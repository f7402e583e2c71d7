"""How well a model predicts a text, compared with simple predictors."""

"""Lossless compression: arithmetic coding of a file by the probabilities of a model."""

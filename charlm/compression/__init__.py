"""Lossless compression: arithmetic coding of a file by the probabilities of a model."""

from charlm.compression.codec import compress, decompress

__all__ = ["compress", "decompress"]

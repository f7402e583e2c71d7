"""Documents of five tokens, and n-gram models of such."""

import numpy as np

from charlm.ngram.model import NgramModel

BOS, EOS, UNK, A, B = range(5)
V = 5
TOY = [[BOS, A, B, A, EOS], [BOS, A, EOS]]


def fit(documents: list[list[int]], order: int, **settings: int) -> NgramModel:
    return NgramModel.fit(joined(documents), order=order, vocab_size=V, bos=BOS, **settings)


def joined(documents: list[list[int]]) -> np.ndarray:
    return np.array([token for document in documents for token in document], dtype=np.uint16)


def along(model: NgramModel, ids: np.ndarray) -> np.ndarray:
    """The states after each token of a text."""
    return model.advance(model.no_context(1), ids[:, None])[:, 0]

"""The look-ups of a training window: what the additions need that follows from the text alone, made ahead of a step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import State
from charlm.ngram.match import Predictions
from charlm.ngram.trie import Nodes


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookups:
    """What is known of the T B tokens of a window; None for what the model finds out itself."""

    starts: NDArray[np.int64] | None = None
    """Position in the training text at which each row begins, (B,), so that each token is predicted by an n-gram model
    that has not counted it; None for any other text."""
    nodes: Nodes | None = None
    """The states of the n-gram model after each token, (T, B, n - 1)."""
    predictions: Predictions | None = None
    """The predictions of the match after each token, (T, B, 1 + K, 2)."""
    match: State | None = None
    """The state of the match after the window."""
    rows: Tensor | None = None
    """The rows of the vectors of contexts, (T, B, K)."""
    known: Tensor | None = None
    """How many contexts the n-gram model knows after each token, (T B,)."""
    log_p: Tensor | None = None
    """Its log-probabilities by order, (T B, J, V); None if they are too large or only some tokens are used."""

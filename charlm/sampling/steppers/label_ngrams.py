"""The n-grams of labels in a compiled sampling step: their models, and what they keep for each text."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import State
from charlm.model.additions.label_ngrams import LabelNgrams, states_after
from charlm.native.structures import Ngrams
from charlm.ngram.trie import Nodes


class LabelNgramRows:
    """What `add_label_ngrams` in `native/sources/step.c` reads, for up to B texts.

    The state of the n-gram prior, which is the model of all documents, is that of the step.
    """

    def __init__(self, ngrams: LabelNgrams, rows: int) -> None:
        """`rows` is B."""
        self._ngrams = ngrams
        number = len(ngrams.models)
        self.models = (Ngrams * number)(*(model.block() for model in ngrams.models))
        """The argument blocks of the models of the N values."""
        self.shares = np.zeros((rows, number + 1), np.float32)
        """See `LabelNgrams.shares`, (B, N + 1)."""
        self.states = np.full((rows, number, ngrams.order - 1), -1, np.int32)
        """The states of the models of the values, (B, N, n - 1). They are kept only where the share isn't 0."""
        self._loaded: tuple[State, NDArray[np.float32], Nodes] | None = None  # a label state, and what its row becomes

    def load(self, row: int, state: State) -> None:
        """Set a row to the label state of one text: factors (1, N) and the last tokens (1, n - 1)."""
        if self._loaded is None or self._loaded[0] is not state:  # most texts of a batch begin with the same one
            self._loaded = (state, *self._begin(*state))
        _, self.shares[row], self.states[row] = self._loaded

    def _begin(self, factors: Tensor, before: Tensor) -> tuple[NDArray[np.float32], Nodes]:
        """The shares (N + 1,) and states (N, n - 1) of a text; arguments as in `load`."""
        shares, states = self._ngrams.shares(factors)[0], np.full(self.states.shape[1:], -1, np.int32)
        for value in np.flatnonzero(shares[:-1]).tolist():
            states[value] = states_after(self._ngrams.models[value], before.T.numpy())[-1, 0]
        return shares, states

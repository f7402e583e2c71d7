"""What n-gram models say of what follows, of several orders together: the sum of their logarithms times gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.counts import Ints
from charlm.ngram.model import NgramModel
from charlm.ngram.trie import Nodes, compiled_lookup

_SMALLEST = 1e-12  # that has a logarithm here; BOS has the probability 0


@dataclass(frozen=True, slots=True)
class NgramQuery:
    """States of a text, and the n-gram model that each of them asks."""

    states: Nodes
    """(N, n - 1)."""
    models: Sequence[NgramModel]
    """They share a trie; one may not have seen all that is in it."""
    which: Ints
    """The index of a model for each state, (N,)."""

    def known_contexts(self) -> Ints:
        """How many of the contexts of each state its model has seen go on, (N,)."""
        if lookup := compiled_lookup():
            tables, trie = [model.tables()[1:] for model in self.models], self.models[0].tables()[0]
            return lookup.known_contexts(trie, self.states, tables, self.which)
        known = np.empty(len(self.states), dtype=np.int64)
        for index in np.unique(self.which).tolist():
            rows = np.flatnonzero(self.which == index)
            going_on = self.models[index].tables()[3][np.maximum(self.states[rows], 0)] < 1
            known[rows] = np.sum((self.states[rows] >= 0) & going_on, axis=-1)
        return known

    def log_probabilities(self, orders: Sequence[int]) -> NDArray[np.float32]:
        """The logarithms of the distributions that each state's model gives, and those of lower order in it.

        Args:
            orders: ascending, from 1 to n; J of them.

        Returns:
            Nats, (N, J, V), of what is at least 1e-12.
        """
        vocab_size = self.models[0].vocab_size
        log_p = np.empty((len(self.states), len(orders), vocab_size), dtype=np.float32)
        for index in np.unique(self.which).tolist():
            rows = np.flatnonzero(self.which == index)
            chances = self.models[index].by_order(self.states[rows], orders, np.float32)
            log_p[rows] = np.log(np.maximum(chances, _SMALLEST))
        return log_p

    def mixture(
        self, orders: Sequence[int], gates: NDArray[Any], *, keep: bool = False
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """`log_probabilities` times gates (N, J), summed up: (N, V), of the gates' type; and themselves, to `keep`."""
        if gates.dtype == np.float32 and (lookup := compiled_lookup()):
            tables = [model.tables()[1:] for model in self.models]
            trie = self.models[0].tables()[0]
            return lookup.mixture(trie, tables, self.which, self.states, orders, gates, keep=keep)
        log_p = self.log_probabilities(orders)
        return np.matmul(gates[:, None], log_p)[:, 0], log_p if keep else None

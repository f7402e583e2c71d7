"""Predictions of n-gram models of several orders combined: the sum of their log-probabilities times order weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.counts import Ints
from charlm.ngram.model import NgramModel
from charlm.ngram.trie import Nodes, compiled_lookup

_SMALLEST = 1e-12  # smaller probabilities count as this, since BOS has probability 0


@dataclass(frozen=True, slots=True)
class NgramQuery:
    """States of a text, each with the n-gram model that predicts the next token."""

    states: Nodes
    """(N, n - 1)."""
    models: Sequence[NgramModel]
    """Models that share a trie; one may not have seen all of its n-grams."""
    which: Ints
    """The index of a model for each state, (N,)."""

    def known_contexts(self) -> Ints:
        """How many contexts of each state its model has seen followed by a token, (N,)."""
        if lookup := compiled_lookup():
            estimates = [model.estimates for model in self.models]
            return lookup.known_contexts(self.models[0].trie, self.states, estimates, self.which)
        known = np.empty(len(self.states), dtype=np.int64)
        for index in np.unique(self.which).tolist():
            rows = np.flatnonzero(self.which == index)
            followed = self.models[index].estimates.backoffs[np.maximum(self.states[rows], 0)] < 1
            known[rows] = np.sum((self.states[rows] >= 0) & followed, axis=-1)
        return known

    def log_probabilities(self, orders: Sequence[int]) -> NDArray[np.float32]:
        """Log-probabilities of the next token by each state's model, and by the lower orders in it.

        Args:
            orders: J orders from 1 to n, ascending.

        Returns:
            The negative of nats, (N, J, V), of probabilities of at least 1e-12.
        """
        vocab_size = self.models[0].vocab_size
        log_p = np.empty((len(self.states), len(orders), vocab_size), dtype=np.float32)
        for index in np.unique(self.which).tolist():
            rows = np.flatnonzero(self.which == index)
            probabilities = self.models[index].by_order(self.states[rows], orders, np.float32)
            log_p[rows] = np.log(np.maximum(probabilities, _SMALLEST))
        return log_p

    def mixture(
        self,
        orders: Sequence[int],
        order_weights: NDArray[Any],
        *,
        tokens: NDArray[np.int64] | None = None,
        keep: bool = False,
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """The sum over orders of `log_probabilities` times the weights of the orders.

        Args:
            orders: J orders from 1 to n, ascending.
            order_weights: the weight of each order in each state, (N, J).
            tokens: K distinct tokens; None is all V.
            keep: whether to return the log-probabilities, too.

        Returns:
            The sum, (N, K), of the type of the weights; the log-probabilities, (N, J, K), or None without `keep`.
        """
        if order_weights.dtype == np.float32 and (lookup := compiled_lookup()):
            estimates = [model.estimates for model in self.models]
            return lookup.mixture(
                self.models[0].trie, estimates, self.which, self.states, orders, order_weights, tokens=tokens, keep=keep
            )
        log_p = self.log_probabilities(orders)
        if tokens is not None:
            log_p = np.ascontiguousarray(log_p[..., tokens])
        return np.matmul(order_weights[:, None], log_p)[:, 0], log_p if keep else None

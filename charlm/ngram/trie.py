"""Looking up n-grams in a trie by compiled code (`native/sources/trie.h`), about 10x as fast as by NumPy.

Where there is no C compiler, or CHARLM_NATIVE=0, `compiled_lookup` gives None and `charlm.ngram.model` uses NumPy.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.kneser_ney import Estimates, Singles
from charlm.ngram.native_code import native_library, structures

Nodes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Trie:
    """The nodes of an n-gram model; see `charlm.ngram.model`."""

    vocab_size: int
    order: int
    keys: NDArray[np.int64]
    first: NDArray[np.int64]

    def has_tokens(self, tokens: NDArray[np.int64]) -> bool:
        """Whether all tokens are from 0 to V - 1."""
        return tokens.size == 0 or bool(tokens.view(np.uint64).max() < self.vocab_size)

    def has_states(self, states: Nodes) -> bool:
        """Whether all nodes of states are contexts, or -1."""
        return states.size == 0 or bool(-1 <= states.min() <= states.max() < len(self.first) - 1)

    def block(self) -> "structures.Trie":
        """The argument block of the compiled code; it is valid as long as this object."""
        return structures.Trie(self.keys.ctypes.data, self.first.ctypes.data, self.vocab_size, self.order - 1)


class CompiledLookup:
    """The compiled functions."""

    def __init__(self, code: ctypes.CDLL) -> None:
        self._code = code

    def advance(self, trie: Trie, state: Nodes, ids: NDArray[Any]) -> Nodes:
        """See `charlm.ngram.model.NgramModel.advance`; raises `ValueError` for what would lie outside the model."""
        tokens = np.ascontiguousarray(ids, dtype=np.int64)
        steps, rows = tokens.shape
        if not trie.has_tokens(tokens):
            raise ValueError(f"a token is not below the {trie.vocab_size} tokens of this n-gram model")
        state = _checked(trie, state)
        if state.shape != (rows, trie.order - 1):
            raise ValueError("this state does not belong to this n-gram model")
        after = np.empty((steps, rows, trie.order - 1), dtype=np.int32)
        self._code.trie_advance(
            ctypes.byref(trie.block()), state.ctypes.data, tokens.ctypes.data, steps, rows, after.ctypes.data
        )
        return after

    def known_contexts(
        self, trie: Trie, states: Nodes, models: Sequence[Estimates], which: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """See `charlm.ngram.mixture.NgramQuery.known_contexts`; `models` and `which` as in `mixture`."""
        states, which = _checked(trie, states), np.ascontiguousarray(which, dtype=np.int64)
        estimates, known = _addresses(models), np.empty(len(states), dtype=np.int64)
        self._code.trie_known_contexts(
            ctypes.byref(trie.block()),
            states.ctypes.data,
            len(states),
            estimates.ctypes.data,
            which.ctypes.data,
            known.ctypes.data,
        )
        return known

    def mixture(
        self,
        trie: Trie,
        models: Sequence[Estimates],
        which: NDArray[np.int64],
        states: Nodes,
        orders: Sequence[int],
        order_weights: Singles,
        *,
        tokens: NDArray[np.int64] | None,
        keep: bool,
    ) -> tuple[Singles, Singles | None]:
        """See `charlm.ngram.mixture.NgramQuery.mixture`.

        Args:
            trie: the trie that all models share.
            models: the probabilities of each model.
            which: the index in `models` of the model to ask in each state, (N,).
            states: the states to predict from, (N, n - 1).
            orders: J orders from 1 to n, ascending.
            order_weights: the weight of each order in each state, (N, J).
            tokens: the distinct tokens whose probabilities are wanted, (K,); None for all.
            keep: whether to return the log-probabilities too.

        Raises `MemoryError` when out of memory.
        """
        states, ascending = _checked(trie, states), np.array(orders, dtype=np.int64)
        which, estimates = np.ascontiguousarray(which, dtype=np.int64), _addresses(models)
        order_weights = np.ascontiguousarray(order_weights, dtype=np.float32)
        number, some = trie.vocab_size, None
        if tokens is not None:
            number, tokens = len(tokens), np.ascontiguousarray(tokens, dtype=np.int64)
            if not trie.has_tokens(tokens):
                raise ValueError(f"a token is not below the {trie.vocab_size} tokens of this n-gram model")
            place_of = np.full(trie.vocab_size, -1, dtype=np.int32)
            place_of[tokens] = np.arange(number)
            some = structures.Tokens(tokens.ctypes.data, place_of.ctypes.data, number)
        mixed = np.empty((len(states), number), dtype=np.float32)
        log_p = np.empty((len(states), len(orders), number), dtype=np.float32) if keep else None
        wanted = structures.Orders(ascending.ctypes.data, len(orders))
        enough = self._code.trie_mixture(
            ctypes.byref(trie.block()),
            states.ctypes.data,
            len(states),
            estimates.ctypes.data,
            which.ctypes.data,
            ctypes.byref(wanted),
            None if some is None else ctypes.byref(some),
            order_weights.ctypes.data,
            mixed.ctypes.data,
            None if log_p is None else log_p.ctypes.data,
        )
        if not enough:
            raise MemoryError
        return mixed, log_p


def _checked(trie: Trie, states: Nodes) -> Nodes:
    """The states as the compiled code reads them; raises `ValueError` if they are not of this trie."""
    states = np.ascontiguousarray(states, dtype=np.int32)
    if not trie.has_states(states):
        raise ValueError("this state does not belong to this n-gram model")
    return states


def _addresses(models: Sequence[Estimates]) -> NDArray[np.uintp]:
    """One argument block `Estimates` for each model, (N, 3)."""
    return np.array([[array.ctypes.data for array in model] for model in models], dtype=np.uintp)


@cache
def compiled_lookup() -> CompiledLookup | None:
    """The compiled look-up; None if there is no C compiler."""
    code = native_library()
    return None if code is None else CompiledLookup(code)

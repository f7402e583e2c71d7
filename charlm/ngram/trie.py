"""Look-ups in a trie of n-grams by compiled_lookup code (`ngram_lookup.c`): a tenth of the time that numpy takes.

Where there is no C compiler, or CHARLM_NATIVE=0 says so, `compiled_lookup` is None, and `charlm.ngram.model` looks up by numpy.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm import native
from charlm.native.compiler import shared_library

Nodes = NDArray[np.int32]
Singles = NDArray[np.float32]
Tables = tuple[Singles, Singles, Singles]
"""Probabilities of single tokens, weights, and backoffs of a model."""


@dataclass(frozen=True, slots=True)
class Trie:
    """The nodes of an n-gram model; see `charlm.ngram.model`."""

    vocab_size: int
    order: int
    keys: NDArray[np.int64]
    first: NDArray[np.int64]

    def arguments(self) -> tuple[int, int, int, int]:
        """What every function of the compiled_lookup code takes first."""
        return self.keys.ctypes.data, self.first.ctypes.data, self.vocab_size, self.order - 1


class Lookup:
    """The compiled_lookup functions."""

    def __init__(self, code: ctypes.CDLL) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        trie: list[Any] = [pointer, pointer, number, number]
        self._advance, self._depths, self._mixture = code.ngram_advance, code.ngram_depths, code.ngram_mixture
        self._advance.argtypes = [*trie, pointer, pointer, number, number, pointer]
        self._depths.argtypes = [number, pointer, number, *[pointer] * 3]
        self._mixture.argtypes = [*trie, pointer, number, *[pointer] * 3, number, *[pointer] * 3]
        self._advance.restype = self._depths.restype = None
        self._mixture.restype = number

    def advance(self, trie: Trie, state: Nodes, ids: NDArray[Any]) -> Nodes:
        """See `charlm.ngram.model.NgramModel.advance`."""
        tokens = np.ascontiguousarray(ids, dtype=np.int64)
        state = np.ascontiguousarray(state, dtype=np.int32)
        steps, rows = tokens.shape
        contexts = len(trie.first) - 1
        if state.shape != (rows, trie.order - 1) or (state.size and not -1 <= state.min() <= state.max() < contexts):
            raise ValueError("a state that no n-gram model of this kind gave")
        after = np.empty((steps, rows, trie.order - 1), dtype=np.int32)
        self._advance(*trie.arguments(), state.ctypes.data, tokens.ctypes.data, *tokens.shape, after.ctypes.data)
        return after

    def depths(self, states: Nodes, models: Sequence[Tables], which: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `charlm.ngram.mixture.NgramQuery.depths`; `models` and `which` are those of `mixture`."""
        states, which = np.ascontiguousarray(states, dtype=np.int32), np.ascontiguousarray(which, dtype=np.int64)
        estimates, depths = _addresses(models), np.empty(len(states), dtype=np.int64)
        self._depths(
            *(states.shape[1], states.ctypes.data, len(states)),
            *(estimates.ctypes.data, which.ctypes.data, depths.ctypes.data),
        )
        return depths

    def mixture(
        self,
        trie: Trie,
        models: Sequence[Tables],
        which: NDArray[np.int64],
        states: Nodes,
        orders: Sequence[int],
        gates: Singles,
        *,
        keep: bool,
    ) -> tuple[Singles, Singles | None]:
        """See `charlm.ngram.mixture.NgramQuery.mixture`.

        Args:
            trie: that all models share.
            models: what each says.
            which: the index in `models` of the one that is asked in each state, (N,).
            states: (N, n - 1).
            orders: ascending, J of them.
            gates: (N, J).
            keep: whether the logarithms are wanted as well.
        """
        states, wanted = np.ascontiguousarray(states, dtype=np.int32), np.array(orders, dtype=np.int64)
        which, estimates = np.ascontiguousarray(which, dtype=np.int64), _addresses(models)
        gates = np.ascontiguousarray(gates, dtype=np.float32)
        mixed = np.empty((len(states), trie.vocab_size), dtype=np.float32)
        log_p = np.empty((len(states), len(orders), trie.vocab_size), dtype=np.float32) if keep else None
        enough = self._mixture(
            *(*trie.arguments(), states.ctypes.data, len(states)),
            *(estimates.ctypes.data, which.ctypes.data, wanted.ctypes.data, len(orders)),
            *(gates.ctypes.data, mixed.ctypes.data, None if log_p is None else log_p.ctypes.data),
        )
        if not enough:
            raise MemoryError
        return mixed, log_p


def _addresses(models: Sequence[Tables]) -> NDArray[np.uintp]:
    return np.array([[array.ctypes.data for array in model] for model in models], dtype=np.uintp)


@cache
def compiled_lookup() -> Lookup | None:
    """The compiled_lookup look-up; None where it can't be had."""
    code = shared_library((Path(native.__file__).parent / "trie.h").read_text(encoding="ascii"))
    return None if code is None else Lookup(code)

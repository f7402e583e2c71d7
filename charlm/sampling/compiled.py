"""The compiled parts of sampling: a step (`stepper.c`) and a choice (`draw.c`).

They need a C compiler, as the kernels do; whoever calls them has another way without one.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm import native
from charlm.native.compiler import shared_library

Array = NDArray[Any]

CELLS = {"rnn": 0, "lstm": 1, "gru-reset-after": 2}
"""The cells that `stepper.c` knows, by its numbers."""


@cache
def compiled() -> ctypes.CDLL | None:
    """The compiled step; None where it can't be had."""
    parts = [
        Path(native.__file__).parent / "functions.h",
        Path(native.__file__).parent / "trie.h",
        Path(native.__file__).parent / "stepper.c",
        Path(native.__file__).parent / "draw.c",
    ]
    code = shared_library("\n".join(part.read_text(encoding="ascii") for part in parts))
    if code is not None:
        number, address, real = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double
        code.sampler_draw.argtypes = [address, number, number, address, real, number, *[address] * 5]
        code.sampler_draw.restype = None
        code.sampler_cells.argtypes = [*[number] * 4, *[address] * 6, number]
        code.sampler_cells.restype = None
        code.sampler_step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        code.sampler_step.restype = None
    return code


class NativeDraw:
    """Draws a token for each row, and tells the model's log-probability of it, in one call (`draw.c`)."""

    def __init__(self, added: Array, temperature: float, eos: int) -> None:
        """Make ready; only where `compiled` gives code.

        Args:
            added: nats to add to the logits, (V,) float64.
            temperature: above 0, finite.
            eos: the token that a row which may not end yet does not draw.
        """
        self._added, self._temperature, self._eos = np.ascontiguousarray(added), temperature, eos
        self._cumulative = np.empty(len(added))
        self._lay_out(1)

    def __call__(
        self, logits: Array, uniforms: Sequence[float], may_end: Sequence[bool], *, score: bool
    ) -> tuple[list[int], list[float]]:
        """Tokens, -1 where every token is ruled out, and their log-probabilities in nats, without what is added; zeros
        without `score`.

        Args:
            logits: (B, V) float32, contiguous.
            uniforms: B numbers in [0, 1).
            may_end: for each row, whether EOS may be drawn.
        """
        rows, vocab = logits.shape
        if rows != len(self._tokens):
            self._lay_out(rows)
        self._uniforms[:] = uniforms
        self._may_end[:] = may_end
        address = logits.__array_interface__["data"][0]
        nats = self._nats.ctypes.data if score else None
        self._draw(address, rows, vocab, self._at, self._temperature, self._eos, *self._addresses, nats)
        return self._tokens.tolist(), self._nats.tolist()

    def _lay_out(self, rows: int) -> None:
        code = compiled()
        assert code is not None
        self._draw = code.sampler_draw
        self._uniforms, self._may_end = np.empty(rows), np.empty(rows, np.uint8)
        self._tokens, self._nats = np.empty(rows, np.int64), np.zeros(rows)
        self._at = self._added.ctypes.data
        parts = (self._may_end, self._uniforms, self._cumulative, self._tokens)
        self._addresses = [part.ctypes.data for part in parts]

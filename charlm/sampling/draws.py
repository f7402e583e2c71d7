"""Random choices: a stream of numbers for each text, and a token from a distribution and a number."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

try:
    from charlm.native.library import library
except ModuleNotFoundError:  # without the C code every draw is NumPy's

    def library() -> None:  # type: ignore[misc]
        return None


_BLOCK = 256  # numbers drawn at a time


class Uniforms:
    """Numbers in [0, 1) from a generator, one for each choice.

    Each text has its own stream, so that it comes out the same whichever texts are written next to it.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._block: list[float] = []

    def __call__(self) -> float:
        """The next number."""
        if not self._block:
            self._block = torch.rand(_BLOCK, dtype=torch.float64, generator=self._generator).tolist()[::-1]
        return self._block.pop()


def draw(logits: NDArray[np.float64], uniforms: list[float]) -> list[int]:
    """One token for each row, by the inverse of the cumulative distribution.

    Args:
        logits: (B, V) float64, nats up to a constant for each row; -inf rules a token out, but not all of a row.
        uniforms: B numbers in [0, 1). The token is the first whose cumulative probability exceeds the number.

    Source: Devroye 1986, Non-Uniform Random Variate Generation, section III.2.
    """
    if len(uniforms) == 1:
        row = logits[0]
        cumulative = np.exp(row - row.max()).cumsum()
        return [int(cumulative.searchsorted(uniforms[0] * cumulative[-1], side="right"))]
    cumulative = np.exp(logits - logits.max(-1, keepdims=True)).cumsum(-1)
    below = cumulative <= cumulative[:, -1:] * np.array(uniforms)[:, None]
    tokens: list[int] = below.sum(-1).tolist()
    return tokens


class CompiledDraw:
    """`draw` and the model's log-probability of each token, in one call of compiled code (`native/draw.c`)."""

    def __init__(self, added: NDArray[np.float64], temperature: float, eos: int) -> None:
        """Prepare; needs `available`.

        Args:
            added: nats to add to the logits, (V,).
            temperature: above 0, finite.
            eos: the token that is not drawn in a row that may not end yet.
        """
        self._added, self._temperature, self._eos = np.ascontiguousarray(added), temperature, eos
        self._cumulative = np.empty(len(added))
        self._lay_out(1)

    @staticmethod
    def available() -> bool:
        """Whether there is compiled code."""
        return library() is not None

    def __call__(
        self, logits: NDArray[Any], uniforms: Sequence[float], may_end: Sequence[bool], *, score: bool
    ) -> tuple[list[int], list[float]]:
        """Tokens, -1 for a row in which every token is ruled out, and the model's log-probabilities, nats; zeros without
        `score`.

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
        code = library()
        assert code is not None
        self._draw = code.sampler_draw
        self._uniforms, self._may_end = np.empty(rows), np.empty(rows, np.uint8)
        self._tokens, self._nats = np.empty(rows, np.int64), np.zeros(rows)
        self._at = self._added.ctypes.data
        parts = (self._may_end, self._uniforms, self._cumulative, self._tokens)
        self._addresses = [part.ctypes.data for part in parts]

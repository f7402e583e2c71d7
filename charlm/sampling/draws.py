"""Random draws: a stream of random numbers for each text, and the draw of a token with a random number."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.ngram.native_code import native_library, structures

_BLOCK = 256  # numbers drawn at a time


class Uniforms:
    """A stream of random numbers in [0, 1).

    Each text has its own stream, so that it does not depend on the other texts of a batch.
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
    """Draw a token for each row by the inverse of the cumulative distribution.

    Args:
        logits: the logits, (B, V) float64, nats up to a constant for each row; -inf rules a token out. No row may be
            all -inf.
        uniforms: B random numbers in [0, 1). The token is the first whose cumulative probability exceeds the number.

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
    """`draw`, bias, temperature and the model's log-probabilities in one call of compiled code (`draw.c`)."""

    def __init__(self, bias: NDArray[np.float64], temperature: float, eos: int) -> None:
        """Prepare the draw; only if `available`.

        Args:
            bias: nats to add to the logits, (V,).
            temperature: the temperature of the softmax, above 0 and finite.
            eos: the token that is ruled out in rows that may not end.
        """
        self._bias, self._cumulative = np.ascontiguousarray(bias), np.empty(len(bias))
        self._block = structures.Draw(
            vocab=len(bias),
            added=self._bias.ctypes.data,
            temperature=temperature,
            eos=eos,
            cumulative=self._cumulative.ctypes.data,
        )
        code = native_library()
        assert code is not None
        self._draw, self._address = code.sampler_draw, ctypes.addressof(self._block)
        self._logits: NDArray[Any] | None = None
        self._allocate(1)

    @staticmethod
    def available() -> bool:
        """Whether the compiled code can be used."""
        return native_library() is not None

    def __call__(
        self, logits: NDArray[Any], uniforms: Sequence[float], may_end: Sequence[bool], *, score: bool
    ) -> tuple[list[int], list[float]]:
        """Draw a token for each row; returns the tokens and the model's log-probability of each, nats.

        The token is -1 for a row in which every token is ruled out.

        Args:
            logits: the logits, (B, V) float32, contiguous.
            uniforms: B random numbers in [0, 1).
            may_end: for each row, whether EOS may be drawn.
            score: whether to compute log-probabilities; they are 0 otherwise.
        """
        if logits is not self._logits:  # a stepper returns the same array as long as its batch does not change
            self._logits, self._block.logits = logits, logits.ctypes.data
            if len(logits) != self._block.rows:
                self._allocate(len(logits))
        self._uniforms[:], self._may_end[:] = [*uniforms], [*may_end]
        self._block.nats = self._nats_address if score else None
        self._draw(self._address)
        return self._tokens[:], self._nats[:]

    def _allocate(self, rows: int) -> None:
        """Make the memory for B = `rows` texts."""
        self._uniforms, self._may_end = (ctypes.c_double * rows)(), (ctypes.c_uint8 * rows)()
        self._tokens, self._nats = (ctypes.c_int64 * rows)(), (ctypes.c_double * rows)()
        block, self._nats_address = self._block, ctypes.addressof(self._nats)
        block.rows, block.tokens = rows, ctypes.addressof(self._tokens)
        block.may_end, block.uniforms = ctypes.addressof(self._may_end), ctypes.addressof(self._uniforms)

"""Random choices: a stream of numbers for each text, and a token from a distribution and a number."""

import numpy as np
import torch
from numpy.typing import NDArray

_BLOCK = 256  # numbers drawn at a time


class Uniforms:
    """Numbers in [0, 1) from a generator, one for each choice.

    A text has a stream of its own, so that it comes out the same whichever texts are written beside it.
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

"""What a stepper is: it holds the states of B texts, one in each row, and reads one token for each of them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.sampling.steering import Hold

LogitRows = NDArray[np.floating]
"""(B, V), nats up to a constant for each row; valid until the next step."""


class Stepper(Protocol):
    """The states of B texts and how they continue. Made once for a batch, used for every token of it."""

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """Read one token for each row and return the logits of the next."""

    def load(self, row: int, states: LayerStates) -> None:
        """Give a row the states of another text, (1, H) each."""

    def take(self, rows: Sequence[int]) -> None:
        """Row j becomes what row `rows[j]` was; B becomes the number of `rows`."""

    def change(self, layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
        """Apply a hold to one of a layer's states and return what the hold returns."""

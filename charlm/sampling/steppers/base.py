"""The interface of a stepper: it keeps the states of B texts, one in each row, and reads one token for each."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.sampling.steering import FixedComponent

LogitRows = NDArray[np.floating]
"""(B, V), nats up to a constant for each row; valid until the next step."""


class Stepper(Protocol):
    """The states of B texts, which a step advances by one token. Create one for each batch."""

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """Read one token for each row and return the logits of the next tokens."""

    def load(self, row: int, states: LayerStates) -> None:
        """Replace a row with another text, whose states are (1, H) each."""

    def take(self, rows: Sequence[int]) -> None:
        """Rearrange the rows: row j becomes the old row `rows[j]`, and B becomes len(rows)."""

    def change(self, layer: int, part: int, component: FixedComponent) -> NDArray[np.floating]:
        """Fix a component of a layer's h (part 0) or c (part -1), and return the change of each state, (B,)."""

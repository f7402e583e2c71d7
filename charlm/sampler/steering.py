"""A state that is held while text is written: before every step a direction in it is set to a value."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.recurrent import LayerStates

_UNIT_LIKE = re.compile(r"\d+:\d+(:c)?")
_LARGEST = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A direction in a layer's state, and the value it is held at.

    Radford, Jozefowicz and Sutskever 2017 (arXiv 1704.01444), section 4, fix the sentiment unit so; a direction of many
    units is held in the same way, and what is at a right angle to it stays as it is.
    """

    layer: int
    part: int
    """Which of the layer's states: 0 is h, -1 is c."""
    vector: NDArray[np.floating]
    """(H,), of length 1."""
    value: float

    def __call__(self, states: NDArray[np.floating]) -> None:
        """Set states (B, H), in place, so that states . vector is the value in each row."""
        vector = self.vector.astype(states.dtype, copy=False)
        states += (self.value - states @ vector)[:, None] * vector


Steering = Sequence[Hold]
"""Holds, carried out in order."""


def steered(states: LayerStates, steering: Steering) -> LayerStates:
    """Copies of states, (B, H) each, with the holds carried out."""
    copies = tuple(tuple(part.clone() for part in state) for state in states)
    for hold in steering:
        part = copies[hold.layer][hold.part]
        values = part.cpu().numpy()
        hold(values)
        part.copy_(part.new_tensor(values))
    return copies


def parse_steer(text: str) -> tuple[str, float]:
    """ "sentiment=+2" as ("sentiment", 2.0), "0:12:c=1.5" as ("0:12:c", 1.5); raises `ConfigError` for another form."""
    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name or not abs(value) <= _LARGEST:
        raise ConfigError(
            f"--steer is {text!r}; give a direction and a strength in standard deviations, such as sentiment=+2, or a "
            "unit and its value, such as 0:12=1.5 or 0:12:c=1.5"
        )
    return name, value


def names_unit(name: str) -> bool:
    """Whether a name is that of a unit, rather than of a direction."""
    return _UNIT_LIKE.fullmatch(name) is not None

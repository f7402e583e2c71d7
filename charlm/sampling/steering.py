"""A state that is held while text is written: after every step a direction in it is set to a value.

The next step begins from the held state, and the output layer reads it: a hold in the hidden state of the last layer
adds to the logits what the output weights make of the change. What lies between, such as the layers above a lower one,
an h that a c has already gone into, or the gates of the n-gram prior, heeds it from the next step on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel

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

    def __call__(self, states: NDArray[np.floating]) -> NDArray[np.floating]:
        """Set states (B, H), in place, so that states . vector is the value in each row; the change of it, (B,)."""
        vector = self.vector.astype(states.dtype, copy=False)
        change: NDArray[np.floating] = self.value - states @ vector
        states += change[:, None] * vector
        return change


Steering = Sequence[Hold]
"""Holds, carried out in order."""

Change = Callable[[int, int, Hold], NDArray[np.floating]]
"""change(layer, part, hold) carries a hold out on a state, wherever that lies, and gives what the hold gives."""


class Steered:
    """Holds, made ready for a model."""

    def __init__(self, model: LanguageModel, steering: Steering) -> None:
        """Make ready; `steering` must fit the model."""
        weights = (model.embedding if model.output is None else model.output).detach().cpu().numpy()  # (V, H)
        last = model.config.num_layers - 1
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is found in the logits
            self._holds = [
                (hold, weights @ hold.vector if (hold.layer, hold.part) == (last, 0) else None) for hold in steering
            ]

    def __call__(self, change: Change, logits: NDArray[np.floating]) -> None:
        """Carry the holds out, and let the logits (B, V) heed them, in place.

        Raises `ConfigError` where that leaves no probabilities.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            for hold, tilt in self._holds:
                moved = change(hold.layer, hold.part, hold)
                if tilt is not None:
                    logits += moved[:, None] * tilt
        if not (logits < np.inf).all():  # -inf is a token that is ruled out
            raise ConfigError("--steer throws the model off: its probabilities are no numbers; give a smaller value")

    def states(self, states: LayerStates, logits: NDArray[np.floating]) -> LayerStates:
        """Copies of states, (B, H) each, with the holds carried out, as a call does."""
        copies = tuple(tuple(part.clone() for part in state) for state in states)

        def change(layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
            values = copies[layer][part].cpu().numpy()
            moved = hold(values)
            copies[layer][part].copy_(torch.from_numpy(values))
            return moved

        self(change, logits)
        return copies


def parse_steer(text: str, option: str = "--steer") -> tuple[str, float]:
    """ "sentiment=+2" as ("sentiment", 2.0), "0:12:c=1.5" as ("0:12:c", 1.5); raises `ConfigError`, which names the
    option, for another form."""
    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name or not abs(value) <= _LARGEST:
        raise ConfigError(
            f"{option} is {text!r}; give a direction and a strength, such as sentiment=+2, or a "
            "unit and its value, such as 0:12=1.5 or 0:12:c=1.5"
        )
    return name, value

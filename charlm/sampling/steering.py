"""Steering: a state that is held while text is written. After every step a direction in it is set to a value.

The next step begins from the held state, and the output layer reads it: a hold in the hidden state of the last layer
adds the change times the output weights to the logits. Everything in between (the layers above a lower one, an h that was
computed from a c, the gates of the n-gram prior) sees the held state from the next step on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit, names_unit
from charlm.sampling.config import Steer
from charlm.storage.direction import Direction


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A direction in a layer's state, and the value it is held at.

    Source: Radford, Jozefowicz and Sutskever 2017 (arXiv 1704.01444), section 4, who fix the sentiment unit. A direction
    of many units is held in the same way; what is orthogonal to it does not change.
    """

    layer: int
    part: int
    """Which of the layer's states: 0 is h, -1 is c."""
    vector: NDArray[np.floating]
    """(H,), of length 1."""
    value: float

    def __call__(self, states: NDArray[np.floating]) -> NDArray[np.floating]:
        """Set states (B, H) in place so that states . vector is the value in each row; returns the change, (B,)."""
        vector = self.vector.astype(states.dtype, copy=False)
        change: NDArray[np.floating] = self.value - states @ vector
        states += change[:, None] * vector
        return change


Steering = Sequence[Hold]
"""Holds, applied in order."""

Change = Callable[[int, int, Hold], NDArray[np.floating]]
"""change(layer, part, hold) applies a hold to a state, wherever that is stored, and returns what the hold returns."""


class Steered:
    """Holds, prepared for a model."""

    def __init__(self, model: LanguageModel, steering: Steering) -> None:
        """Prepare; `steering` must fit the model."""
        weights = (model.embedding if model.output is None else model.output).detach().cpu().numpy()  # (V, H)
        last = model.config.num_layers - 1
        with np.errstate(over="ignore", invalid="ignore"):  # checked in the logits
            self._holds = [
                (hold, weights @ hold.vector if (hold.layer, hold.part) == (last, 0) else None) for hold in steering
            ]

    def __call__(self, change: Change, logits: NDArray[np.floating]) -> None:
        """Apply the holds, and change the logits (B, V) accordingly, in place.

        Raises `ConfigError` if that leaves no probabilities.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            for hold, tilt in self._holds:
                moved = change(hold.layer, hold.part, hold)
                if tilt is not None:
                    logits += moved[:, None] * tilt
        if not (logits < np.inf).all():  # -inf rules a token out
            raise ConfigError("--steer makes the probabilities not finite; give a smaller value")

    def states(self, states: LayerStates, logits: NDArray[np.floating]) -> LayerStates:
        """Copies of states, (B, H) each, with the holds applied as in a call."""
        copies = tuple(tuple(part.clone() for part in state) for state in states)

        def change(layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
            values = copies[layer][part].cpu().numpy()
            moved = hold(values)
            copies[layer][part].copy_(torch.from_numpy(values))
            return moved

        self(change, logits)
        return copies


def holds_for(model: LanguageModel, steer: Sequence[Steer], find: Callable[[str], Direction]) -> list[Hold]:
    """What settings of `--steer` mean for a model.

    Args:
        model: whose state is held.
        steer: units at values, and directions at strengths.
        find: gives a direction by its name.

    Raises `ConfigError` for a unit that the model hasn't, and what `find` raises.
    """
    holds = []
    for one in steer:
        if names_unit(one.name):
            unit = Unit.parse(one.name, "--steer")
            unit.require_in(model, "--steer")
            vector = np.zeros(model.config.hidden_size, np.float32)
            vector[unit.number] = 1
            holds.append(Hold(layer=unit.layer, part=-1 if unit.cell_state else 0, vector=vector, value=one.value))
        else:
            direction = find(one.name)
            part = -1 if direction.facts.state == "c" else 0
            value = direction.value(one.value)
            holds.append(Hold(layer=direction.facts.layer, part=part, vector=direction.vector, value=value))
    return holds

"""Steering: after every step, the component of a state along a direction is set to a value.

The next step begins from the changed state. The output layer reads it at once: for the hidden state of the last layer,
the change times the output weights is added to the logits. Everything in between (the layers above a lower one, an h
computed from a c, the order weights of the n-gram prior) reads the changed state from the next step on.
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
class FixedComponent:
    """A component of a layer's state that is set to a value: the direction along which it lies, and the value.

    What is orthogonal to the direction does not change.

    Source: Radford, Jozefowicz and Sutskever 2017 (arXiv 1704.01444), section 4, who fix the sentiment unit. Here the
    direction may be one unit or any combination of units.
    """

    layer: int
    part: int
    """Which state of the layer: 0 is h, -1 is c."""
    vector: NDArray[np.floating]
    """The direction, (H,), of length 1."""
    value: float

    def __call__(self, states: NDArray[np.floating]) -> NDArray[np.floating]:
        """Change states (B, H) in place so that states . vector = value in each row; returns the change, (B,)."""
        vector = self.vector.astype(states.dtype, copy=False)
        change: NDArray[np.floating] = self.value - states @ vector
        states += change[:, None] * vector
        return change


Steering = Sequence[FixedComponent]
"""What is fixed, in this order."""

Change = Callable[[int, int, FixedComponent], NDArray[np.floating]]
"""change(layer, part, component) fixes a component of a state, wherever it is stored; returns what it returns, (B,)."""


class Steered:
    """Fixes components of the states of a model, and changes its logits accordingly."""

    def __init__(self, model: LanguageModel, steering: Steering) -> None:
        """Prepare the components, which must fit the model."""
        weights = (model.embedding if model.output is None else model.output).detach().cpu().numpy()  # (V, H)
        last = model.config.num_layers - 1
        with np.errstate(over="ignore", invalid="ignore"):  # checked in the logits
            self._components = [
                (component, weights @ component.vector if (component.layer, component.part) == (last, 0) else None)
                for component in steering
            ]

    def __call__(self, change: Change, logits: NDArray[np.floating]) -> None:
        """Fix the components of the states by `change`, and change the logits (B, V) in place.

        Raises `ConfigError` if a logit becomes infinite or NaN.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            for component, logit_change in self._components:  # (V,) for a change of 1
                state_change = change(component.layer, component.part, component)
                if logit_change is not None:
                    logits += state_change[:, None] * logit_change
        if not (logits < np.inf).all():  # -inf rules a token out
            raise ConfigError("--steer is so strong that probabilities are no longer finite; give a smaller value")

    def states(self, states: LayerStates, logits: NDArray[np.floating]) -> LayerStates:
        """Copies of states, (B, H) each, with the components fixed; the logits are changed in place as in a call."""
        copies = tuple(tuple(part.clone() for part in state) for state in states)

        def change(layer: int, part: int, component: FixedComponent) -> NDArray[np.floating]:
            values = copies[layer][part].cpu().numpy()
            moved = component(values)
            copies[layer][part].copy_(torch.from_numpy(values))
            return moved

        self(change, logits)
        return copies


def fixed_components(
    model: LanguageModel, steer: Sequence[Steer], find: Callable[[str], Direction]
) -> list[FixedComponent]:
    """What the settings of `--steer` fix.

    Args:
        model: the model to steer.
        steer: units with values, and directions with strengths.
        find: a function from the name of a direction to the direction.

    Raises `ConfigError` for a unit that the model doesn't have, and what `find` raises.
    """
    components = []
    for setting in steer:
        if names_unit(setting.name):
            unit = Unit.parse(setting.name, "--steer")
            unit.require_in(model, "--steer")
            vector = np.zeros(model.config.hidden_size, np.float32)
            vector[unit.number] = 1
            components.append(
                FixedComponent(layer=unit.layer, part=-1 if unit.cell_state else 0, vector=vector, value=setting.value)
            )
        else:
            direction = find(setting.name)
            part = -1 if direction.facts.state == "c" else 0
            value = direction.value(setting.value)
            components.append(
                FixedComponent(layer=direction.facts.layer, part=part, vector=direction.vector, value=value)
            )
    return components

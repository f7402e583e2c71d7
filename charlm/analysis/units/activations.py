"""Every state and every gate of every layer while a model reads, step by step.

Everything is computed with the cells' own equations. States are recorded step by step. A gate is whatever a cell's step
passes through the logistic function, so gates are recorded by intercepting that function while the step is computed a
second time, for all time steps at once: the states are known by then, and time serves as the batch dimension.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from charlm.cells import Cell, LayerStates, State
from charlm.cells.gates import SigmoidRecorder, logistic_calls
from charlm.model.language_model import LanguageModel


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerActivations:
    """States and gates of one layer over T steps."""

    states: dict[str, Tensor]
    """Each of `Cell.states` after every step, (T, B, H)."""
    gates: dict[str, Tensor]
    """Each of the cell's logistic gates at every step, (T, B, H)."""

    def __getitem__(self, name: str) -> Tensor:
        """The state or gate with that name."""
        return self.states[name] if name in self.states else self.gates[name]


def follow(
    model: LanguageModel, ids: Tensor, states: LayerStates, *, layers: int | None = None, gates: bool = True
) -> tuple[tuple[LayerActivations, ...], LayerStates]:
    """Compute every state and gate while the model reads, by the cells' equations.

    Args:
        model: a model in evaluation mode.
        ids: token ids, (T, B) int64, T at least 1.
        states: the states before the first step, as `LanguageModel.forward` takes and returns them.
        layers: how many layers, from the lowest up; None for all.
        gates: whether to record gates.

    Returns:
        The activations of those layers, and their states after the last step.
    """
    x, other_states = model.inputs(ids, states)  # (T, B, E)
    activations: list[LayerActivations] = []
    for index, layer in enumerate(model.recurrent.layers):
        if index == layers:
            break
        weights = dict(layer.named_parameters())
        cell: Cell = layer.cell  # type: ignore[assignment]
        activation = _follow_layer(cell, x, states[index], weights, gates)
        x = x + activation.states["h"] if index and model.recurrent.residual else activation.states["h"]
        activations.append(activation)
    after = tuple(tuple(part[-1] for part in activation.states.values()) for activation in activations)
    return tuple(activations), (*after, *other_states)


def _follow_layer(cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor], gates: bool) -> LayerActivations:
    """The activations of one layer that reads x (T, B, I) from an initial state (B, H)."""
    steps = [state]
    for step_input in x:
        steps.append(cell.step(step_input, steps[-1], weights))
    states = [torch.stack(part) for part in zip(*steps, strict=True)]  # each (T + 1, B, H)
    gate_values: dict[str, Tensor] = {}
    if gates and logistic_calls(cell):
        with SigmoidRecorder() as recorder:
            cell.step(x.flatten(0, 1), tuple(part[:-1].flatten(0, 1) for part in states), weights)
        gate_values = dict(zip(logistic_calls(cell), recorder.values, strict=True))
    return LayerActivations(
        states={name: part[1:] for name, part in zip(cell.states, states, strict=True)},
        gates={name: gate_values[name].view(*x.shape[:2], -1) for name in cell.gates if name in gate_values},
    )

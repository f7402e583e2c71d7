"""What goes on inside a model while it reads: every state and every gate of every layer, step by step.

All of it comes out of the cells' own equations. States are followed step by step. A gate is whatever a cell's step puts
through the logistic function, so gates are read off by listening to that function while the step is computed once more,
all moments of a window at a time: their states are known by then, and time serves as batch.
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
    """One layer through T steps."""

    states: dict[str, Tensor]
    """Each of `Cell.states` after every step, (T, B, H)."""
    gates: dict[str, Tensor]
    """Each of the cell's logistic gates at every step, (T, B, H)."""

    def __getitem__(self, name: str) -> Tensor:
        """The state or the gate of that name."""
        return self.states[name] if name in self.states else self.gates[name]


def follow(
    model: LanguageModel, ids: Tensor, states: LayerStates, *, layers: int | None = None, gates: bool = True
) -> tuple[tuple[LayerActivations, ...], LayerStates]:
    """Every state and every gate while the model reads, by the cells' equations, and the states after the last step.

    Args:
        model: in evaluation mode.
        ids: (T, B) int64, T at least 1.
        states: before the first step, as `LanguageModel.forward` gives and takes them.
        layers: how many, from the lowest up; None is all. The states after the last step are those of as many.
        gates: whether gates are wanted.
    """
    x, known = model.inputs(ids, states)  # (T, B, E)
    found = []
    for index, layer in enumerate(model.recurrent.layers):
        if index == layers:
            break
        weights = dict(layer.named_parameters())
        cell: Cell = layer.cell  # type: ignore[assignment]
        one = _follow_layer(cell, x, states[index], weights, gates)
        x = x + one.states["h"] if index and model.recurrent.residual else one.states["h"]
        found.append(one)
    after = tuple(tuple(part[-1] for part in one.states.values()) for one in found)
    return tuple(found), (*after, *known)


def _follow_layer(cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor], gates: bool) -> LayerActivations:
    """One layer: x (T, B, I), the state before it (B, H)."""
    passed = [state]
    for moment in x:
        passed.append(cell.step(moment, passed[-1], weights))
    through = [torch.stack(part) for part in zip(*passed, strict=True)]  # each (T + 1, B, H)
    heard: dict[str, Tensor] = {}
    if gates and logistic_calls(cell):
        with SigmoidRecorder() as listening:
            cell.step(x.flatten(0, 1), tuple(part[:-1].flatten(0, 1) for part in through), weights)
        heard = dict(zip(logistic_calls(cell), listening.values, strict=True))
    return LayerActivations(
        states={name: part[1:] for name, part in zip(cell.states, through, strict=True)},
        gates={name: heard[name].view(*x.shape[:2], -1) for name in cell.gates if name in heard},
    )

"""Which gates of a cell are logistic, found by recording calls of `torch.sigmoid` during a step."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from charlm.cells.base import Cell


def logistic_gates(cell: Cell) -> tuple[str, ...]:
    """The gates of a cell whose values lie between 0 and 1."""
    return tuple(name for name in cell.gates if name in logistic_calls(cell))


@functools.cache
def logistic_calls(cell: Cell) -> tuple[str, ...]:
    """The logistic gates in the order in which a step computes them.

    When an input of 1 feeds a single block of `Cell.gates` and all other weights are 0, only the gate with that block's
    name differs from 1/2.
    """
    gate_of_call: dict[int, str] = {}
    state = tuple(torch.zeros(1, 1) for _ in cell.states)
    for block, gate in enumerate(cell.gates):
        weights = {name: torch.zeros(shape) for name, shape in cell.shapes(1, 1).items()}
        weights["input"][block] = 1.0
        with SigmoidRecorder() as recorder:
            cell.step(torch.ones(1, 1), state, weights)
        gate_of_call |= {call: gate for call, value in enumerate(recorder.values) if value.item() != 0.5}
    return tuple(gate_of_call[call] for call in sorted(gate_of_call))


class SigmoidRecorder(TorchFunctionMode):
    """A context in which the results of `torch.sigmoid` are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.sigmoid:
            self.values.append(result)
        return result

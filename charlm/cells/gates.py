"""Which gates of a cell are logistic, found by listening to `torch.sigmoid` while the cell's own equation is computed."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from charlm.cells.base import Cell


def logistic_gates(cell: Cell) -> tuple[str, ...]:
    """The gates of a cell that lie between 0 and 1."""
    return tuple(name for name in cell.gates if name in logistic_calls(cell))


@functools.cache
def logistic_calls(cell: Cell) -> tuple[str, ...]:
    """The logistic gates in the order in which a step computes them.

    Each is found by its input: with an input of 1 that feeds a single block of `Cell.gates`, and all else 0, only the
    gate that bears the name of that block leaves 1/2.
    """
    found: dict[int, str] = {}
    state = tuple(torch.zeros(1, 1) for _ in cell.states)
    for block, gate in enumerate(cell.gates):
        weights = {name: torch.zeros(shape) for name, shape in cell.shapes(1, 1).items()}
        weights["input"][block] = 1.0
        with SigmoidRecorder() as listening:
            cell.step(torch.ones(1, 1), state, weights)
        found |= {call: gate for call, value in enumerate(listening.values) if value.item() != 0.5}
    return tuple(found[call] for call in sorted(found))


class SigmoidRecorder(TorchFunctionMode):
    """While it is entered, keeps whatever comes out of `torch.sigmoid`."""

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

"""What a recurrent cell is: named weights, named states, and one step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

State = tuple[Tensor, ...]
"""What a cell hands from step to step, each (B, H); the first is the hidden state h, which is also the output."""

LayerStates = tuple[State, ...]
"""The states of a stack of layers, the lowest first."""

Weights = Mapping[str, Tensor]
"""A cell's weights by name, as `Cell.shapes` lists them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A recurrent cell.

    Its weights are `input` (G, I), `recurrent` (R, H) and `bias`, each a column of blocks of H rows that bear the names
    of what they feed, and whatever else the cell names. By convention a gate called f or u keeps the old state where
    it is 1, and one called z lets the new in: initial biases follow these names.
    """

    name: str
    gates: tuple[str, ...]
    """Blocks of `input`; G = len(gates) * H."""
    recurrent: tuple[str, ...]
    """Blocks of `recurrent`; none where a cell's gates don't look at the past."""
    biases: tuple[str, ...]
    """Blocks of `bias`: the last ones of `gates`, in the same order."""
    states: tuple[str, ...] = ("h",)
    extra_biases: tuple[str, ...] = ()
    """Further weights of shape (H,)."""
    extra_matrices: tuple[str, ...] = ()
    """Further recurrent weights of shape (H, H)."""
    recurrent_init: Literal["orthogonal", "leaky-identity"] = "orthogonal"
    """How recurrent weights begin unless the user says otherwise."""
    step: Callable[[Tensor, State, Weights], State]
    """step(x, state, weights) -> state, with x (B, I)."""
    equations: str
    reference: str

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """The shape of each weight, by name."""
        recurrent = {"recurrent": (len(self.recurrent) * hidden_size, hidden_size)} if self.recurrent else {}
        return {
            "input": (len(self.gates) * hidden_size, input_size),
            **recurrent,
            "bias": (len(self.biases) * hidden_size,),
            **dict.fromkeys(self.extra_biases, (hidden_size,)),
            **dict.fromkeys(self.extra_matrices, (hidden_size, hidden_size)),
        }

    def num_parameters(self, input_size: int, hidden_size: int) -> int:
        """How many weights one layer has."""
        count = 0
        for shape in self.shapes(input_size, hidden_size).values():
            count += shape[0] * (shape[1] if len(shape) > 1 else 1)
        return count

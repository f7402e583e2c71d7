"""The definition of a recurrent cell: named weights, named states, and one step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

State = tuple[Tensor, ...]
"""The state of a cell between steps, each part (B, H); the first is the hidden state h, which is also the output."""

LayerStates = tuple[State, ...]
"""The states of a stack of layers, lowest layer first."""

Weights = Mapping[str, Tensor]
"""A cell's weights by name, as `Cell.shapes` lists them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A recurrent cell.

    Its weights are `input` (G, I), `recurrent` (R, H) and `bias`, each consisting of named blocks of H rows, and any
    extra weights. A block has the name of the gate it feeds. By convention a gate named f or u keeps the old state when
    it is 1, and a gate named z lets in the new one; initial biases follow from these names.
    """

    name: str
    gates: tuple[str, ...]
    """Blocks of `input`; G = len(gates) * H."""
    recurrent: tuple[str, ...]
    """Blocks of `recurrent`; empty when no gate depends on the last state."""
    biases: tuple[str, ...]
    """Blocks of `bias`: the last of `gates`, in the same order."""
    states: tuple[str, ...] = ("h",)
    extra_biases: tuple[str, ...] = ()
    """Additional weights of shape (H,)."""
    extra_matrices: tuple[str, ...] = ()
    """Additional recurrent weights of shape (H, H)."""
    recurrent_init: Literal["orthogonal", "leaky-identity"] = "orthogonal"
    """Default initialisation of the recurrent weights."""
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
        """The number of weights of one layer."""
        count = 0
        for shape in self.shapes(input_size, hidden_size).values():
            count += shape[0] * (shape[1] if len(shape) > 1 else 1)
        return count

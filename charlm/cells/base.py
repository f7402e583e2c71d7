"""What a recurrent cell is: named weights, named states, and one step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

State = tuple[Tensor, ...]
"""What a cell hands from step to step, each (B, H); the first is the hidden state h, which is also the output."""

Weights = Mapping[str, Tensor]
"""A cell's weights by name: `input` (G, I), `recurrent` (G, H), `bias` (G,), and whatever else the cell names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A recurrent cell."""

    name: str
    gates: tuple[str, ...]
    """Blocks of H rows in `input`, `recurrent` and `bias`, in this order; G = len(gates) * H."""
    states: tuple[str, ...] = ("h",)
    extra_biases: tuple[str, ...] = ()
    """Further weights of shape (H,)."""
    step: Callable[[Tensor, State, Weights], State]
    """step(x, state, weights) -> state, with x (B, I)."""
    equations: str
    reference: str

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """The shape of each weight."""
        rows = len(self.gates) * hidden_size
        return {
            "input": (rows, input_size),
            "recurrent": (rows, hidden_size),
            "bias": (rows,),
            **dict.fromkeys(self.extra_biases, (hidden_size,)),
        }

"""Long short-term memory with a forget gate."""

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def lstm_step(x: Tensor, state: State, weights: Weights) -> State:
    """i, f, o = sigm(V x + W h' + b); g = tanh(V_g x + W_g h' + b_g); c = f * c' + i * g; h = o * tanh(c).

    Args:
        x: (B, I).
        state: (h', c'), each (B, H).
        weights: V `input` (4H, I), W `recurrent` (4H, H), `bias` (4H,), rows in the order i, f, g, o.

    Returns:
        (h, c), each (B, H).

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9; the forget gate is that of Gers, Schmidhuber and
    Cummins 1999, "Learning to forget".
    """
    h, c = state
    i, f, g, o = (x @ weights["input"].T + h @ weights["recurrent"].T + weights["bias"]).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


LSTM = Cell(
    name="lstm",
    gates=("i", "f", "g", "o"),
    states=("h", "c"),
    step=lstm_step,
    equations="i, f, o = sigm(V x + W h' + b); g = tanh(V_g x + W_g h' + b_g); c = f * c' + i * g; h = o * tanh(c)",
    reference="Hochreiter and Schmidhuber 1997; Gers et al. 1999",
)

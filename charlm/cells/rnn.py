"""The simple recurrent network."""

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def rnn_step(x: Tensor, state: State, weights: Weights) -> State:
    """h = tanh(V x + W h' + b).

    Args:
        x: (B, I).
        state: (h',), (B, H).
        weights: V `input` (H, I), W `recurrent` (H, H), `bias` (H,).

    Returns:
        (h,), (B, H).

    Source: Elman 1990, "Finding structure in time", Cognitive Science 14.
    """
    (h,) = state
    return (torch.tanh(x @ weights["input"].T + h @ weights["recurrent"].T + weights["bias"]),)


RNN = Cell(
    name="rnn",
    gates=("h",),
    step=rnn_step,
    equations="h = tanh(V x + W h' + b)",
    reference="Elman 1990",
)

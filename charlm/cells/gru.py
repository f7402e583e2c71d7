"""The gated recurrent unit in the form of cuDNN and torch, where the reset gate acts after the recurrent product."""

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def gru_reset_after_step(x: Tensor, state: State, weights: Weights) -> State:
    """r, u = sigm(V x + W h' + b); g = tanh(V_g x + b_g + r * (W_g h' + b_c)); h = (1 - u) * g + u * h'.

    Args:
        x: (B, I).
        state: (h',), (B, H).
        weights: V `input` (3H, I), W `recurrent` (3H, H), `bias` (3H,), rows in the order r, u, g;
            b_c `candidate_bias` (H,).

    Returns:
        (h,), (B, H).

    Source: Cho et al. 2014 (arXiv 1406.1078), in the variant that torch.nn.GRU documents.
    """
    (h,) = state
    from_input = (x @ weights["input"].T + weights["bias"]).chunk(3, dim=-1)
    from_past = (h @ weights["recurrent"].T).chunk(3, dim=-1)
    r = torch.sigmoid(from_input[0] + from_past[0])
    u = torch.sigmoid(from_input[1] + from_past[1])
    g = torch.tanh(from_input[2] + r * (from_past[2] + weights["candidate_bias"]))
    return ((1 - u) * g + u * h,)


GRU_RESET_AFTER = Cell(
    name="gru-reset-after",
    gates=("r", "u", "g"),
    extra_biases=("candidate_bias",),
    step=gru_reset_after_step,
    equations="r, u = sigm(V x + W h' + b); g = tanh(V_g x + b_g + r * (W_g h' + b_c)); h = (1 - u) * g + u * h'",
    reference="Cho et al. 2014, as torch.nn.GRU computes it",
)

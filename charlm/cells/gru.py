"""The gated recurrent unit: the lecture's form, that of cuDNN and torch, and the minimal one."""

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def gru_step(x: Tensor, state: State, weights: Weights) -> State:
    """r, u = sigm(V x + W h' + b); g = tanh(V_g x + W_g (h' * r) + b_g); h = (1 - u) * g + u * h'.

    Args:
        x: the input of the step, (B, I).
        state: (h',), (B, H).
        weights: V `input` (3H, I), W `recurrent` (3H, H), `bias` (3H,), rows in the order r, u, g.

    Returns:
        (h,), (B, H).

    Source: Cho et al. 2014 (arXiv 1406.1078), equations 5 to 8.
    """
    (h,) = state
    size = h.shape[-1]
    r, u, g = (x @ weights["input"].T + weights["bias"]).chunk(3, dim=-1)
    from_past = h @ weights["recurrent"][: 2 * size].T
    r, u = torch.sigmoid(r + from_past[:, :size]), torch.sigmoid(u + from_past[:, size:])
    g = torch.tanh(g + (h * r) @ weights["recurrent"][2 * size :].T)
    return ((1 - u) * g + u * h,)


def gru_reset_after_step(x: Tensor, state: State, weights: Weights) -> State:
    """r, u = sigm(V x + W h' + b); g = tanh(V_g x + b_g + r * (W_g h' + b_c)); h = (1 - u) * g + u * h'.

    The reset gate is applied after the recurrent product, so that one product serves all gates.

    Args:
        x: the input of the step, (B, I).
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


def mingru_step(x: Tensor, state: State, weights: Weights) -> State:
    """z = sigm(V_z x + b_z); g = V_g x + b_g; h = (1 - z) * h' + z * g. Only h depends on the last state.

    Args:
        x: the input of the step, (B, I).
        state: (h',), (B, H).
        weights: V `input` (2H, I), `bias` (2H,), rows in the order z, g.

    Returns:
        (h,), (B, H).

    Source: Feng et al. 2024 (arXiv 2410.01201), section 3.1.
    """
    (h,) = state
    z, g = (x @ weights["input"].T + weights["bias"]).chunk(2, dim=-1)
    z = torch.sigmoid(z)
    return ((1 - z) * h + z * g,)


GRU = Cell(
    name="gru",
    gates=("r", "u", "g"),
    recurrent=("r", "u", "g"),
    biases=("r", "u", "g"),
    step=gru_step,
    equations="r, u = sigm(V x + W h' + b); g = tanh(V_g x + W_g (h' * r) + b_g); h = (1 - u) * g + u * h'",
    reference="Cho et al. 2014, arXiv 1406.1078",
)
GRU_RESET_AFTER = Cell(
    name="gru-reset-after",
    gates=("r", "u", "g"),
    recurrent=("r", "u", "g"),
    biases=("r", "u", "g"),
    extra_biases=("candidate_bias",),
    step=gru_reset_after_step,
    equations="r, u = sigm(V x + W h' + b); g = tanh(V_g x + b_g + r * (W_g h' + b_c)); h = (1 - u) * g + u * h'",
    reference="Cho et al. 2014, as torch.nn.GRU computes it",
)
MINGRU = Cell(
    name="mingru",
    gates=("z", "g"),
    recurrent=(),
    biases=("z", "g"),
    step=mingru_step,
    equations="z = sigm(V_z x + b_z); g = V_g x + b_g; h = (1 - z) * h' + z * g",
    reference="Feng et al. 2024, arXiv 2410.01201",
)

"""The three cells found in 2015 by a search over ten thousand architectures.

Where the paper's equation adds x itself, x is first projected to width H (P below). This makes `mut2` the GRU of
`charlm.cells.gru` with z = 1 - u: the two differ only in their initial weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def mut1_step(x: Tensor, state: State, weights: Weights) -> State:
    """z = sigm(W_xz x + b_z); r = sigm(W_xr x + W_hr h' + b_r);
    h = tanh(W_hh (r * h') + tanh(P x) + b_h) * z + h' * (1 - z).

    Args:
        x: the input of the step, (B, I).
        state: (h',), (B, H).
        weights: `input` (3H, I) with rows P, W_xz, W_xr; `recurrent` (2H, H) with rows W_hr, W_hh; `bias` (2H,) b_z,
            b_r; b_h `candidate_bias` (H,).

    Returns:
        (h,), (B, H).

    Source: Jozefowicz, Zaremba and Sutskever 2015, "An empirical exploration of recurrent network architectures", MUT1.
    """
    (h,) = state
    p, z, r = (x @ weights["input"].T).chunk(3, dim=-1)
    b_z, b_r = weights["bias"].chunk(2)
    w_r, w_h = weights["recurrent"].chunk(2)
    z = torch.sigmoid(z + b_z)
    r = torch.sigmoid(r + h @ w_r.T + b_r)
    return (torch.tanh((r * h) @ w_h.T + torch.tanh(p) + weights["candidate_bias"]) * z + h * (1 - z),)


def mut2_step(x: Tensor, state: State, weights: Weights) -> State:
    """z = sigm(W_xz x + W_hz h' + b_z); r = sigm(P x + W_hr h' + b_r);
    h = tanh(W_hh (r * h') + W_xh x + b_h) * z + h' * (1 - z).

    Args:
        x: the input of the step, (B, I).
        state: (h',), (B, H).
        weights: `input` (3H, I) with rows P, W_xz, W_xh; `recurrent` (3H, H) with rows W_hr, W_hz, W_hh; `bias` (3H,)
            b_r, b_z, b_h.

    Returns:
        (h,), (B, H).

    Source: Jozefowicz et al. 2015, MUT2.
    """
    return _two_gates(x, state, weights, lambda h: h)


def mut3_step(x: Tensor, state: State, weights: Weights) -> State:
    """z = sigm(W_xz x + W_hz tanh(h') + b_z); r = sigm(W_xr x + W_hr h' + b_r);
    h = tanh(W_hh (r * h') + W_xh x + b_h) * z + h' * (1 - z).

    Weights as in `mut2_step`, with W_xr for P. Source: Jozefowicz et al. 2015, MUT3.
    """
    return _two_gates(x, state, weights, torch.tanh)


def _two_gates(x: Tensor, state: State, weights: Weights, seen_by_z: Callable[[Tensor], Tensor]) -> State:
    (h,) = state
    r, z, g = (x @ weights["input"].T + weights["bias"]).chunk(3, dim=-1)
    w_r, w_z, w_h = weights["recurrent"].chunk(3)
    z = torch.sigmoid(z + seen_by_z(h) @ w_z.T)
    r = torch.sigmoid(r + h @ w_r.T)
    return (torch.tanh((r * h) @ w_h.T + g) * z + h * (1 - z),)


_UPDATE = "h = tanh(W_hh (r * h') + {} + b_h) * z + h' * (1 - z)"
_REFERENCE = "Jozefowicz et al. 2015"

MUT1 = Cell(
    name="mut1",
    gates=("p", "z", "r"),
    recurrent=("r", "h"),
    biases=("z", "r"),
    extra_biases=("candidate_bias",),
    step=mut1_step,
    equations="z = sigm(W_xz x + b_z); r = sigm(W_xr x + W_hr h' + b_r); " + _UPDATE.format("tanh(P x)"),
    reference=_REFERENCE,
)
MUT2 = Cell(
    name="mut2",
    gates=("r", "z", "g"),
    recurrent=("r", "z", "g"),
    biases=("r", "z", "g"),
    step=mut2_step,
    equations="z = sigm(W_xz x + W_hz h' + b_z); r = sigm(P x + W_hr h' + b_r); " + _UPDATE.format("W_xh x"),
    reference=_REFERENCE,
)
MUT3 = Cell(
    name="mut3",
    gates=("r", "z", "g"),
    recurrent=("r", "z", "g"),
    biases=("r", "z", "g"),
    step=mut3_step,
    equations="z = sigm(W_xz x + W_hz tanh(h') + b_z); r = sigm(W_xr x + W_hr h' + b_r); " + _UPDATE.format("W_xh x"),
    reference=_REFERENCE,
)

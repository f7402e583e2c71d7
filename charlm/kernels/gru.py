"""The Programs of gru, gru-reset-after and mingru, and mingru as a parallel scan."""

from typing import Any

import torch
from torch import Tensor

from charlm.kernels.program import Product, Program, Stage, State, Weights
from charlm.kernels.symbolic import Values, sigmoid, tanh

Q = Any  # a quantity: a tensor or a symbol


def _reset(r: Q, u: Q, h: Q) -> Values:
    r = sigmoid(r)
    return {"r": r, "u": sigmoid(u), "q": r * h}


def reset_back(d_q: Q, r: Q, h: Q, dh_before: Q) -> Values:
    return {"d_r": d_q * h * r * (1 - r), "dh_before": dh_before + d_q * r}


def _gru(g: Q, u: Q, h: Q) -> Values:
    g = tanh(g)
    return {"g": g, "h_next": g + u * (h - g)}


def _gru_back(dh: Q, g: Q, u: Q, h: Q, dh_before: Q) -> Values:
    return {
        "d_g": dh * (1 - u) * (1 - g * g),
        "d_u": dh * (h - g) * u * (1 - u),
        "dh_before": dh_before + dh * u,
    }


GRU = Program(
    gates=("r", "u", "g"),
    recurrent=("r", "u", "g"),
    saved=("q",),
    stages=(
        Stage(
            products=(Product(of="h", rows=("r", "u"), into=("r", "u")),),
            forward=_reset,
            backward=reset_back,
        ),
        Stage(products=(Product(of="q", rows=("g",), into=("g",)),), forward=_gru, backward=_gru_back),
    ),
)


def _gru_after(r: Q, u: Q, g: Q, w: Q, candidate_bias: Q, h: Q) -> Values:
    r, u, w = sigmoid(r), sigmoid(u), w + candidate_bias
    g = tanh(g + r * w)
    return {"r": r, "u": u, "g": g, "w": w, "h_next": g + u * (h - g)}


def _gru_after_back(dh: Q, r: Q, u: Q, g: Q, w: Q, h: Q, dh_before: Q) -> Values:
    d_g = dh * (1 - u) * (1 - g * g)
    return {
        "d_g": d_g,
        "d_w": d_g * r,
        "d_r": d_g * w * r * (1 - r),
        "d_u": dh * (h - g) * u * (1 - u),
        "dh_before": dh_before + dh * u,
    }


GRU_RESET_AFTER = Program(
    gates=("r", "u", "g"),
    recurrent=("r", "u", "g"),
    saved=("w",),
    biases={"candidate_bias": "w"},
    stages=(
        Stage(
            products=(
                Product(of="h", rows=("r", "u"), into=("r", "u")),
                Product(of="h", rows=("g",), into=("w",)),
            ),
            forward=_gru_after,
            backward=_gru_after_back,
        ),
    ),
)


def _mingru(z: Q, g: Q, h: Q) -> Values:
    z = sigmoid(z)
    return {"z": z, "h_next": h + z * (g - h)}


def _mingru_back(dh: Q, z: Q, g: Q, h: Q, dh_before: Q) -> Values:
    return {
        "d_g": dh * z,
        "d_z": dh * (g - h) * z * (1 - z),
        "dh_before": dh_before + dh * (1 - z),
    }


MINGRU = Program(gates=("z", "g"), recurrent=(), stages=(Stage(forward=_mingru, backward=_mingru_back),))
"""It has no products, so a window is a single pass bound by memory, which is the fastest scan on a CPU."""


def linear_scan(keep: Tensor, new: Tensor) -> Tensor:
    """h_t = keep_t * h_{t-1} + new_t for all t at once, with h = 0 before the first step.

    Args:
        keep: how much of h each step keeps, (T, B, H).
        new: what each step adds, (T, B, H).

    Returns:
        h, (T, B, H).

    Source: Hillis and Steele 1986, "Data parallel algorithms"; Martin and Cundy 2018 (arXiv 1709.04057), section 2.
    """
    distance = 1
    while distance < len(keep):
        new = torch.cat((new[:distance], new[distance:] + keep[distance:] * new[:-distance]))
        keep = torch.cat((keep[:distance], keep[distance:] * keep[:-distance]))
        distance *= 2
    return new


def scan_mingru(projected: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """`charlm.cells.gru.mingru_step` over a window, given the input projection (T, B, 2H)."""
    (h,) = state
    z, g = projected.chunk(2, dim=-1)
    z = torch.sigmoid(z)
    new = torch.cat(((z[:1] * g[:1] + (1 - z[:1]) * h), z[1:] * g[1:]))
    outputs = linear_scan(1 - z, new)
    return outputs, (outputs[-1],)

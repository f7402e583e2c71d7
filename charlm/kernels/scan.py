"""A linear recurrence by a parallel scan: log T passes over a window in place of T steps."""

from collections.abc import Mapping

import torch
from torch import Tensor


def linear_scan(keep: Tensor, new: Tensor) -> Tensor:
    """h_t = keep_t * h_{t-1} + new_t with h before the first step 0, for all t at once.

    Args:
        keep: (T, B, H).
        new: (T, B, H).

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


def scan_mingru(
    projected: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`charlm.cells.gru.mingru_step` through time, from the input projection (T, B, 2H) on."""
    (h,) = state
    z, g = projected.chunk(2, dim=-1)
    z = torch.sigmoid(z)
    new = torch.cat(((z[:1] * g[:1] + (1 - z[:1]) * h), z[1:] * g[1:]))
    outputs = linear_scan(1 - z, new)
    return outputs, (outputs[-1],)

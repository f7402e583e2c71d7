"""A training loss that computes the logits of a sample of the tokens, for vocabularies of tens of thousands of words.

Each token i is in the sample of a step with its own probability q_i, which is 1 for the most frequent tokens. With z
the logits and y a target, the sum over all tokens in

    -ln p(y) = -z_y + ln(exp z_y + sum over i != y of exp z_i)

is estimated without bias by the sum over those i in the sample of exp(z_i) / q_i, that is exp(z_i - ln q_i).

Source: Bengio and Senecal 2008, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language
Model", equation 8; here the sample is drawn without replacement and shared by all targets of a window. A trained model
is scored and samples with the logits of all tokens.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

_POWER = 0.75
"""q_i is proportional to this power of how often token i occurs: a rare token is likely in few contexts only."""
_ITERATIONS = 50


class Columns(NamedTuple):
    """The tokens whose logits a step computes."""

    tokens: Tensor
    """K distinct tokens: the sample, then targets that are not in it, (K,)."""
    offsets: Tensor
    """-ln q of each token; -inf for those that are not in the sample, (K,)."""
    targets: Tensor
    """The place of each target in `tokens`, (N,)."""


class TokenSampler:
    """Draws the tokens of a step."""

    def __init__(self, counts: NDArray[np.int64], size: int) -> None:
        """`counts` says how often the training split has each token, (V,); `size` is the mean size of a sample."""
        self.inclusion = torch.from_numpy(inclusion_probabilities(counts, size))
        """q of each token, (V,)."""

    def draw(self, targets: Tensor, generator: torch.Generator | None) -> Columns:
        """The tokens for N targets (N,), from a generator of their device."""
        inclusion = self.inclusion.to(targets.device)
        is_sampled = torch.rand(inclusion.shape, generator=generator, device=targets.device) < inclusion
        is_target = torch.zeros_like(is_sampled)
        is_target[targets] = True
        sampled = torch.nonzero(is_sampled)[:, 0]
        others = torch.nonzero(is_target & ~is_sampled)[:, 0]
        tokens = torch.cat((sampled, others))
        offsets = torch.cat((-inclusion[sampled].log(), inclusion.new_full(others.shape, -torch.inf)))
        place = torch.empty_like(is_sampled, dtype=torch.int64)
        place[tokens] = torch.arange(len(tokens), device=targets.device)
        return Columns(tokens, offsets, place[targets])


def inclusion_probabilities(counts: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """The probability that a token is in a sample, (V,), with the sum `size`, or V if that is smaller."""
    weights = np.maximum(counts, 0.5).astype(np.float64) ** _POWER
    if size >= len(weights):
        return np.ones(len(weights), np.float32)
    low, high = 0.0, 1 / weights.min()  # of the factor; the sum rises with it
    for _ in range(_ITERATIONS):
        factor = (low + high) / 2
        low, high = (factor, high) if np.minimum(1, factor * weights).sum() < size else (low, factor)
    probabilities: NDArray[np.float32] = np.minimum(1, high * weights).astype(np.float32)
    return probabilities


def sampled_loss(logits: Tensor, columns: Columns) -> Tensor:
    """The mean of the estimated -ln p of N targets, from the logits of the columns, (N, K)."""
    places = columns.targets[:, None]
    corrected = (logits + columns.offsets).scatter(1, places, logits.gather(1, places))
    return F.cross_entropy(corrected, columns.targets)

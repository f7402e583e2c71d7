"""Sampling filters, which are pure functions from logits to logits, and the softmax that follows them.

Logits are (..., V) float64, in nats up to a constant for each row; -inf rules a token out. A filter does not change its
argument and never rules out the last token of a row. A new filter is a function here, a field of `SampleConfig` and a
line of `truncations`, which gives their order.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.sampling.config import SampleConfig

Logits = NDArray[np.float64]
Tokens = NDArray[np.int64]


def probabilities(logits: Logits) -> Logits:
    """Softmax, p_i = exp(z_i) / sum_k exp(z_k), over the last axis; the largest logit is subtracted first."""
    powers: Logits = np.exp(logits - logits.max(-1, keepdims=True))
    powers /= powers.sum(-1, keepdims=True)
    return powers


def log_probabilities(logits: Logits) -> Logits:
    """The logarithm of `probabilities`, nats; -inf where a token is ruled out."""
    below: Logits = logits - logits.max(-1, keepdims=True)
    below -= np.log(np.exp(below).sum(-1, keepdims=True))
    return below


def temper(logits: Logits, temperature: float) -> Logits:
    """z_i / T, after the largest logit is subtracted, so that no temperature overflows.

    T = 0 rules out all tokens but the one with the largest logit (the first of equals). T = infinity makes all tokens
    equally likely that are not ruled out.

    Source: the softmax temperature of Ackley, Hinton and Sejnowski 1985, Cognitive Science 9:
    p_i = exp(z_i / T) / sum_k exp(z_k / T).
    """
    if temperature == 0:
        kept = np.full_like(logits, -np.inf)
        np.put_along_axis(kept, logits.argmax(-1)[..., None], 0.0, -1)
        return kept
    below: Logits = logits - logits.max(-1, keepdims=True)
    if math.isinf(temperature):
        return np.where(np.isneginf(below), below, 0.0)
    if temperature < 1e-3:
        with np.errstate(over="ignore"):  # -inf is the right result
            return below / temperature
    below /= temperature
    return below


def keep_top_k(logits: Logits, k: int) -> Logits:
    """Keep the k largest logits; of equal logits the first.

    Source: Fan, Lewis and Dauphin 2018 (arXiv 1805.04833), section 5.
    """
    size = logits.shape[-1]
    if k >= size:
        return logits
    least = np.partition(logits, size - k, axis=-1)[..., size - k : size - k + 1]
    above, equal = logits > least, logits == least
    room = k - above.sum(-1, keepdims=True)
    return np.where(above | (equal & (equal.cumsum(-1) <= room)), logits, -np.inf)


def _keep_mass(logits: Logits, rank: Logits, mass: float) -> Logits:
    """Keep the fewest tokens, from the lowest `rank` up, whose probabilities add up to `mass`."""
    order = np.argsort(rank, axis=-1, kind="stable")
    ranked = np.take_along_axis(probabilities(logits), order, -1)
    before = ranked.cumsum(-1) - ranked
    keep = np.empty(logits.shape, dtype=bool)
    np.put_along_axis(keep, order, (before < mass * (1 - 1e-12)) & (ranked > 0), -1)
    return np.where(keep, logits, -np.inf)


def keep_top_p(logits: Logits, p: float) -> Logits:
    """Keep the fewest, likeliest tokens whose probabilities add up to at least p, 0 < p <= 1: the nucleus.

    Source: Holtzman et al. 2020 (arXiv 1904.09751), equation 2.
    """
    return logits if p >= 1 else _keep_mass(logits, -logits, p)


def keep_min_p(logits: Logits, p: float) -> Logits:
    """Keep the tokens with p_i >= p * max_k p_k, 0 <= p <= 1.

    Source: Nguyen et al. 2024 (arXiv 2407.01082).
    """
    if p == 0:
        return logits
    return np.where(logits >= logits.max(-1, keepdims=True) + math.log(p), logits, -np.inf)


def keep_typical(logits: Logits, mass: float) -> Logits:
    """Keep the fewest tokens whose probabilities add up to `mass`, those with surprise nearest to the entropy first.

    The rank of a token is |H + log p_i|, with H = -sum_k p_k log p_k.

    Source: Meister et al. 2022 (arXiv 2202.00666), locally typical sampling.
    """
    if mass >= 1:
        return logits
    log_p = log_probabilities(logits)
    possible = ~np.isneginf(log_p)
    surprise = np.where(possible, -log_p, 0.0)
    entropy = (np.exp(log_p) * surprise).sum(-1, keepdims=True)
    return _keep_mass(logits, np.where(possible, np.abs(surprise - entropy), np.inf), mass)


def penalise_repetition(logits: Logits, repeated: NDArray[np.bool_], penalty: float) -> Logits:
    """Multiply the log-probability of each repeated token by the penalty; p_i becomes p_i ** penalty, renormalised.

    Args:
        logits: the logits of the model, (..., V).
        repeated: which tokens were written recently, (..., V).
        penalty: a factor; above 1 makes these tokens rarer, below 1 more frequent.

    Source: Keskar et al. 2019 (arXiv 1909.05858), section 4.1, who scale the logits. The constant in the logits would
    change their result, so log-probabilities are scaled here.
    """
    log_p = log_probabilities(logits)
    return np.where(repeated, log_p * penalty, log_p)


def distribution(logits: Tensor, temperature: float) -> Tensor:
    """Softmax with temperature: p_i = exp(z_i / T) / sum_k exp(z_k / T).

    Args:
        logits: the logits z, (..., V), each finite, or -inf to rule a token out.
        temperature: T. 0 puts all probability on the largest logit (the first of equals), infinity spreads it evenly
            over the tokens that aren't ruled out.

    Returns:
        Probabilities, (..., V) float64 on the CPU, that sum to 1.

    Source: see `temper`.
    """
    return torch.from_numpy(probabilities(temper(logits.detach().double().cpu().numpy(), temperature)))


def truncations(config: SampleConfig) -> dict[str, Callable[[Logits], Logits]]:
    """The filters that a configuration switches on, by the name of their setting, in the order in which they apply."""
    chosen: dict[str, Callable[[Logits], Logits]] = {}
    if config.top_k:
        chosen["top_k"] = lambda logits: keep_top_k(logits, config.top_k)
    if config.top_p < 1:
        chosen["top_p"] = lambda logits: keep_top_p(logits, config.top_p)
    if config.min_p:
        chosen["min_p"] = lambda logits: keep_min_p(logits, config.min_p)
    if config.typical < 1:
        chosen["typical"] = lambda logits: keep_typical(logits, config.typical)
    return chosen

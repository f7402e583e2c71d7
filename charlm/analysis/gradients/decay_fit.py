"""Whether a gradient vanishes, explodes or is carried over the lags, and how fast."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from charlm.nouns import count_of

_NEGLIGIBLE = 1e-6
"""A gradient smaller by this factor no longer changes a float32 sum of gradients, so the fit ignores it."""
_CARRIED = (0.01, 10.0)
"""Range of the share left at the largest lag in which the gradient counts as carried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayFit:
    """How a gradient changes on its way back through time."""

    kind: Literal["vanishes", "explodes", "carried", "absent"]
    steps: float | None
    """Steps in which the gradient halves or doubles; None unless it vanishes or explodes."""
    left: float
    """Norm at the largest lag as a share of the norm at lag 0."""
    sentence: str


def fit_decay(norms: Sequence[float]) -> DecayFit:
    """Classify a gradient as vanishing, exploding or carried.

    It is carried if its norm at the largest lag is 0.01 to 10 times the norm at lag 0. Otherwise it vanishes or
    explodes at the rate of the best-fitting exponential `norms[0] * 2**(rate * k)`: least squares on the logarithm,
    through lag 0, up to the first lag at which the norm has shrunk or grown by a factor of a million.

    Args:
        norms: gradient norms at the lags 0, 1, ..., K, with K at least 1; none negative.

    Raises:
        ValueError: K is less than 1.
    """
    lags = len(norms) - 1
    if lags < 1:
        raise ValueError(f"the curve has {count_of(len(norms), 'value')}; it needs at least the lags 0 and 1")
    if norms[0] == 0:
        return DecayFit(kind="absent", steps=None, left=0.0, sentence="no gradient reaches the state at all")
    left = norms[-1] / norms[0]
    if _CARRIED[0] <= left <= _CARRIED[1]:
        sentence = f"carried: after {count_of(lags, 'step')} {percent(left)} of the gradient is left"
        return DecayFit(kind="carried", steps=None, left=left, sentence=sentence)
    logs = [_clamped_log2(norm / norms[0]) for norm in norms]
    rate = _slope(logs)
    if rate * logs[-1] <= 0:  # the curve turns, and the fit contradicts its end: use the mean slope to the end
        rate = logs[-1] / lags
    steps = 1 / abs(rate)
    if rate < 0:
        sentence = f"vanishes with a half-life of {_format_steps(steps)} steps"
        return DecayFit(kind="vanishes", steps=steps, left=left, sentence=sentence)
    sentence = f"explodes, doubling every {_format_steps(steps)} steps"
    return DecayFit(kind="explodes", steps=steps, left=left, sentence=sentence)


def _slope(logs: Sequence[float]) -> float:
    """Least-squares slope through the origin, up to the first value beyond the limit."""
    limit = -math.log2(_NEGLIGIBLE)
    end = next((lag for lag, log in enumerate(logs) if abs(log) >= limit), len(logs) - 1)
    return sum(lag * logs[lag] for lag in range(end + 1)) / sum(lag * lag for lag in range(end + 1))


def _clamped_log2(ratio: float) -> float:
    """log2, clamped to twice the fit's limit so that a curve may end at zero or infinity."""
    limit = -2 * math.log2(_NEGLIGIBLE)
    if not math.isfinite(ratio):
        return limit
    return max(-limit, min(limit, math.log2(ratio))) if ratio > 0 else -limit


def percent(share: float) -> str:
    """0.873 as 87%, 0.034 as 3.4%."""
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{100 * share:.1f}%"


def _format_steps(steps: float) -> str:
    return f"{steps:.0f}" if steps >= 9.95 else f"{steps:.1f}"

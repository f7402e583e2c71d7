"""What a curve of gradients over the lag comes to, in one sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_GONE = 1e-6
"""What is smaller by this factor no longer moves a float32 sum of gradients; nor does a fit look beyond it."""
_CARRIED = (0.01, 10.0)
"""Shares of the gradient at lag 0 between which it counts as carried to the largest lag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayFit:
    """What becomes of the gradient on its way back through time."""

    kind: Literal["vanishes", "explodes", "carried", "absent"]
    steps: float | None
    """Steps in which the gradient halves, or doubles; None unless it vanishes or explodes."""
    left: float
    """Norm at the largest lag as a share of that at lag 0."""
    sentence: str


def judge(norms: Sequence[float]) -> DecayFit:
    """Say whether a gradient vanishes, explodes or is carried.

    It is carried when a hundredth to ten times of it is left at the largest lag. Else it vanishes or explodes,
    at the rate of the exponential `norms[0] * 2**(rate * k)` that fits best: least squares on the logarithm, through
    lag 0, over the lags until a millionth is left, or a million times has come of it.

    Args:
        norms: of the gradient at the lags 0, 1, ..., K, with K at least 1; never negative.
    """
    lags = len(norms) - 1
    if lags < 1:
        raise ValueError("a curve needs the lags 0 and 1 at least")
    if norms[0] == 0:
        return DecayFit(kind="absent", steps=None, left=0.0, sentence="no gradient reaches the state at all")
    left = norms[-1] / norms[0]
    if _CARRIED[0] <= left <= _CARRIED[1]:
        sentence = f"carried: after {lags} steps {percent(left)} of the gradient is left"
        return DecayFit(kind="carried", steps=None, left=left, sentence=sentence)
    logs = [_clamped_log2(norm / norms[0]) for norm in norms]
    rate = _slope(logs)
    if rate * logs[-1] <= 0:  # up and then down, or the other way: only the end tells which it is
        rate = logs[-1] / lags
    steps = 1 / abs(rate)
    if rate < 0:
        return DecayFit(
            kind="vanishes", steps=steps, left=left, sentence=f"vanishes with a half-life of {_few(steps)} steps"
        )
    return DecayFit(kind="explodes", steps=steps, left=left, sentence=f"explodes, doubling every {_few(steps)} steps")


def _slope(logs: Sequence[float]) -> float:
    """Least squares slope through the origin, up to the first value that is beyond the limit."""
    limit = -math.log2(_GONE)
    end = next((lag for lag, log in enumerate(logs) if abs(log) >= limit), len(logs) - 1)
    return sum(lag * logs[lag] for lag in range(end + 1)) / sum(lag * lag for lag in range(end + 1))


def _clamped_log2(ratio: float) -> float:
    """At most twice as far as a fit looks, so that it can end on zero or on infinity."""
    limit = -2 * math.log2(_GONE)
    if not math.isfinite(ratio):
        return limit
    return max(-limit, min(limit, math.log2(ratio))) if ratio > 0 else -limit


def percent(share: float) -> str:
    """0.873 as 87%, 0.034 as 3.4%."""
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{100 * share:.1f}%"


def _few(steps: float) -> str:
    return f"{steps:.0f}" if steps >= 9.95 else f"{steps:.1f}"

"""The axes of charts: limits that outliers don't stretch, the numbers along them, and the unit of the x axis; and how
losses are smoothed between them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from charlm.analysis.runs.curves import Against, Curve, RunCurves

_PERCENTILES = (10, 90)
_ROUND = (1.0, 2.0, 5.0, 10.0, 20.0)
_SMOOTHED_SHARE = 40  # a smoothed value is the mean of about 1/40 of the curve on either side


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The range of an axis."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between the limits: 0 at the low one, 1 at the high one; 0.5 if both are equal."""
        low, high, value = (
            (math.log(one) for one in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return (value - low) / (high - low) if high > low else 0.5

    def clip(self, value: float) -> float:
        """The nearest value between the limits."""
        return min(max(value, self.low), self.high)

    def padded(self, share: float) -> tuple[float, float]:
        """The low and high limit, each moved outwards by a share of the range; by a tenth if both are equal."""
        if self.high > self.low:
            if self.log:
                factor = (self.high / self.low) ** share
                return self.low / factor, self.high * factor
            margin = share * (self.high - self.low)
        else:
            margin = 0.1 * abs(self.low) or 0.1
        return self.low - margin, self.high + margin


def robust_limits(values: Iterable[float], *, log: bool = False) -> Limits | None:
    """Limits that show all values but outliers; None if there are no values.

    A value is an outlier if it lies further from the range of the 10th to the 90th percentile than that range is wide.
    On a log axis the same holds for the logarithms, and values that are not positive are left out.
    """
    shown = np.array([value for value in values if not log or value > 0], dtype=float)
    if not len(shown):
        return None
    scaled = np.log(shown) if log else shown
    low, high = np.percentile(scaled, _PERCENTILES)
    inside = shown[(scaled >= low - (high - low)) & (scaled <= high + (high - low))]
    return Limits(low=float(inside.min()), high=float(inside.max()), log=log)


def loss_limits(runs: Sequence[RunCurves]) -> Limits | None:
    """Limits for training and validation losses together; None if there are no losses."""
    both = [
        robust_limits(loss for run in runs for loss in run.curves[quantity].y) for quantity in ("loss", "validation")
    ]
    shown = [limits for limits in both if limits is not None]
    if not shown:
        return None
    return Limits(low=min(one.low for one in shown), high=max(one.high for one in shown))


def ticks(limits: Limits, most: int) -> list[float]:
    """Round values between the limits, at most `most`: powers of ten on a log axis that is long enough for two."""
    if limits.log:
        first, last = math.ceil(math.log10(limits.low) - 1e-9), math.floor(math.log10(limits.high) + 1e-9)
        powers = [10.0**power for power in range(first, last + 1)]
        between = [
            factor * 10.0**power
            for power in range(first - 1, last + 1)
            for factor in (1, 2, 5)
            if limits.low <= factor * 10.0**power <= limits.high
        ]
        if 2 <= len(between) <= most:
            return between
        if len(powers) >= 2:
            return powers[:: math.ceil(len(powers) / most)]
    return _even_ticks(limits.low, limits.high, most)


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [float(f"{low:.4g}")]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (factor * power for factor in _ROUND):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            break
    return [number * step for number in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """The values as text, with as many decimals as the finest needs; over several powers of ten, each with its own."""
    if any(value and not 1e-4 <= abs(value) < 1e7 for value in values):
        digits = next((n for n in range(2, 12) if all(math.isclose(float(f"{v:.{n}g}"), v) for v in values)), 12)
        return [f"{value:.{digits}g}" for value in values]
    decimals = [len(f"{value:.9f}".rstrip("0").partition(".")[2]) for value in values]
    if values and not 0 < 100 * min(values) <= max(values):
        decimals = [max(decimals)] * len(values)
    return [f"{value:,.{places}f}" for value, places in zip(values, decimals, strict=True)]


def smoothed(curve: Curve, limits: Limits) -> Curve:
    """A curve of moving means of its values, each clipped to the limits first, so that an outlier raises few of them.

    A mean takes as many values before its place as after it: fewer near the ends, so that a slope stays one.
    """
    sums = np.concatenate([[0.0], np.cumsum([limits.clip(value) for value in curve.y])])
    places = np.arange(len(curve.y))
    reach = np.minimum(len(curve.y) // _SMOOTHED_SHARE, np.minimum(places, places[::-1]))
    means = (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)
    return Curve(x=curve.x, y=tuple(means.tolist()))


def x_unit(against: Against, longest: float) -> tuple[str, float]:
    """The unit of the x axis and its size: "min" and 60 for a time of an hour; "steps" and 1 for steps."""
    if against == "time":
        return ("s", 1.0) if longest < 300 else ("min", 60.0) if longest < 3 * 3600 else ("h", 3600.0)
    if against == "tokens" and longest >= 1e6:
        return ("million tokens", 1e6)
    return (against, 1.0)

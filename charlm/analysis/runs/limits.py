"""How curves are charted: limits that outliers don't stretch, smoothed losses, and the unit of the x axis."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from charlm.analysis.runs.curves import Against, Curve, RunCurves

_PERCENTILES = (10, 90)
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

"""The numbers along an axis: round ones, as many as there is room for."""

import math
from collections.abc import Sequence

from charlm.analysis.runs.limits import Limits

_ROUND = (1.0, 2.0, 5.0, 10.0, 20.0)


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


def labels(values: Sequence[float]) -> list[str]:
    """The values as text, with as many decimals as the finest needs; over several powers of ten, each with its own."""
    if any(value and not 1e-4 <= abs(value) < 1e7 for value in values):
        digits = next((n for n in range(2, 12) if all(math.isclose(float(f"{v:.{n}g}"), v) for v in values)), 12)
        return [f"{value:.{digits}g}" for value in values]
    decimals = [len(f"{value:.9f}".rstrip("0").partition(".")[2]) for value in values]
    if values and not 0 < 100 * min(values) <= max(values):
        decimals = [max(decimals)] * len(values)
    return [f"{value:,.{places}f}" for value, places in zip(values, decimals, strict=True)]

"""A curve on a log scale drawn as one line of block characters, readable without colour."""

import math
from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

_BLOCKS = "▁▂▃▄▅▆▇█"
_BELOW, _ABOVE = "·", "▲"
_STYLES = {_ABOVE: "magenta", "█": "green", "▇": "green", "▆": "yellow", "▅": "yellow", _BELOW: "dim"}
LEGEND = "█ 1  ▇ 0.1  ▆ 0.01  ▅ 0.001  ▄ 1e-4  ▃ 1e-5  ▂ 1e-6  ▁ 1e-7  · less  ▲ more"
"""The value of each block, to the nearest power of ten."""


def decade_line(curve: Sequence[float], width: int) -> Text:
    """A curve relative to its first value: each block is the geometric mean of an equal share of the lags.

    Args:
        curve: values at the lags 0 ... K, none negative.
        width: the most columns; fewer if there are fewer values.
    """
    logs = [_log10(value / curve[0] if curve[0] > 0 else 0.0) for value in curve]
    line = Text()
    for start, end in pairwise(_edges(len(logs), width)):
        block = _block(sum(logs[start:end]) / (end - start))
        line.append(block, style=_STYLES.get(block, "red"))
    return line


def axis(lags: int, width: int) -> str:
    """Axis labels below such a line: the lags 0 and K and, if there is room, the quarters between them."""
    edges = _edges(lags + 1, width)
    columns = len(edges) - 1
    line = [" "] * (columns + len(str(lags)))
    free = 0
    for lag in sorted({0, lags // 4, lags // 2, 3 * lags // 4, lags}):
        column = next(index for index, (start, end) in enumerate(pairwise(edges)) if start <= lag < end)
        label = f"k={lag}" if lag == 0 else str(lag)
        column = min(column, max(0, columns - len(label)))
        if column >= free:
            line[column : column + len(label)] = label
            free = column + len(label) + 1
    return "".join(line).rstrip()


def _edges(count: int, width: int) -> list[int]:
    """Boundaries of `width` equal shares of `count` values, or of `count` shares if there are fewer values."""
    width = min(width, count)
    return [round(index * count / width) for index in range(width + 1)]


def _log10(ratio: float) -> float:
    """log10, clamped so that a mean that includes zero or infinity stays finite."""
    if not math.isfinite(ratio):
        return 300.0
    return max(-300.0, math.log10(ratio)) if ratio > 0 else -300.0


def _block(log: float) -> str:
    level = round(log)
    if level > 0:
        return _ABOVE
    return _BLOCKS[7 + level] if level >= -7 else _BELOW

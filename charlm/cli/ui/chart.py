"""Curves that fall by powers of ten as one line of blocks, readable without colour."""

import math
from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

_BLOCKS = "▁▂▃▄▅▆▇█"
_GONE, _MORE = "·", "▲"
_STYLES = {_MORE: "magenta", "█": "green", "▇": "green", "▆": "yellow", "▅": "yellow", _GONE: "dim"}
LEGEND = "█ 1  ▇ 0.1  ▆ 0.01  ▅ 0.001  ▄ 1e-4  ▃ 1e-5  ▂ 1e-6  ▁ 1e-7  · less  ▲ more"
"""What each block stands for, to the nearest power of ten."""


def decade_line(curve: Sequence[float], width: int) -> Text:
    """A curve relative to its first value, the geometric means of equal stretches, each as the nearest block.

    Args:
        curve: values at the lags 0 ... K, none negative.
        width: columns, at most; fewer where there are fewer values.
    """
    logs = [_log10(value / curve[0] if curve[0] > 0 else 0.0) for value in curve]
    line = Text()
    for start, end in pairwise(_edges(len(logs), width)):
        block = _block(sum(logs[start:end]) / (end - start))
        line.append(block, style=_STYLES.get(block, "red"))
    return line


def axis(lags: int, width: int) -> str:
    """Marks of the lags below such a line: 0, K and, where there is room, quarters between."""
    edges = _edges(lags + 1, width)
    columns = len(edges) - 1
    line = [" "] * (columns + len(str(lags)))
    free = 0
    for lag in sorted({0, lags // 4, lags // 2, 3 * lags // 4, lags}):
        column = next(index for index, (start, end) in enumerate(pairwise(edges)) if start <= lag < end)
        mark = f"k={lag}" if lag == 0 else str(lag)
        column = min(column, max(0, columns - len(mark)))
        if column >= free:
            line[column : column + len(mark)] = mark
            free = column + len(mark) + 1
    return "".join(line).rstrip()


def _edges(count: int, width: int) -> list[int]:
    """Where `width` equal stretches of `count` values begin and end, or as many as there are values."""
    width = min(width, count)
    return [round(index * count / width) for index in range(width + 1)]


def _log10(ratio: float) -> float:
    """Kept within bounds, so that a mean of zero and something is something."""
    if not math.isfinite(ratio):
        return 300.0
    return max(-300.0, math.log10(ratio)) if ratio > 0 else -300.0


def _block(log: float) -> str:
    level = round(log)
    if level > 0:
        return _MORE
    return _BLOCKS[7 + level] if level >= -7 else _GONE

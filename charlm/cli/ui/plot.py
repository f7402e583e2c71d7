"""Line charts drawn with characters: each curve has its own letter, so the chart is readable without colour."""

import math
from collections.abc import Sequence

from rich.text import Text

from charlm.analysis.runs.curves import Curve

_STYLES = ("cyan", "magenta", "yellow", "green", "red", "blue")


def mark(number: int) -> tuple[str, str]:
    """The letter and style of a curve."""
    return chr(ord("a") + number % 26), _STYLES[number % len(_STYLES)]


def plot(curves: Sequence[Curve], *, width: int, height: int = 10, label: str = "") -> Text:
    """A chart of several curves.

    Args:
        curves: each column shows the mean of the values in it; where two curves meet, the later one is visible.
        width: total width in columns.
        height: rows of the chart, without the axis.
        label: label of the x axis.
    """
    points = [(x, y) for curve in curves for x, y in zip(curve.x, curve.y, strict=True)]
    if not points:
        return Text("no data yet", style="dim")
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    columns = max(10, width - 10)
    means = [_column_means(curve, left, right, columns) for curve in curves]
    shown = [y for line in means for y in line if y is not None]
    low, high = min(shown), max(shown)
    grid: list[list[int | None]] = [[None] * columns for _ in range(height)]
    for index, line in enumerate(means):
        for column, y in enumerate(line):
            if y is not None:
                share = (y - low) / (high - low) if high > low else 0.5
                grid[height - 1 - round(share * (height - 1))][column] = index
    text = Text()
    for row, cells in enumerate(grid):
        value = {0: high, height - 1: low}.get(row)
        text.append(f"{number_of(value):>8} ", style="dim").append("│" if value is None else "┤", style="dim")
        for cell in cells:
            letter, style = (" ", "") if cell is None else mark(cell)
            text.append(letter, style=style)
        text.append("\n")
    text.append(" " * 9 + "└" + "─" * columns + "\n", style="dim")
    start, end = number_of(left), f"{number_of(right)} {label}".rstrip()
    return text.append(" " * 10 + start + end.rjust(columns - len(start)), style="dim")


def number_of(value: float | None) -> str:
    """A number in at most eight characters; empty for None."""
    if value is None:
        return ""
    if value == 0 or 0.001 <= abs(value) < 100:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def _column_means(curve: Curve, left: float, right: float, columns: int) -> list[float | None]:
    """The mean of the values in each column; None if there are none or the mean is not finite."""
    sums, counts = [0.0] * columns, [0] * columns
    for x, y in zip(curve.x, curve.y, strict=True):
        column = min(columns - 1, int((x - left) / (right - left) * columns)) if right > left else 0
        sums[column] += y
        counts[column] += 1
    return [
        total / count if count and math.isfinite(total) else None for total, count in zip(sums, counts, strict=True)
    ]

"""Line charts drawn with characters, readable without colour: several curves as letters, losses as dots and marks."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from charlm.analysis.runs.curves import Curve

Point = tuple[float, float]
"""A step and a loss in nats per token."""

TRAINING, VALIDATION = ("⠒", "cyan"), ("●", "magenta")
"""The mark of each loss, for a legend, and its style."""

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot of a braille character, which has two columns of four, from the top."""
_BRAILLE = 0x2800
_LEFT_OUT, _MANY = 0.1, 20  # of many points, those of the first steps, whose high loss would flatten the rest
_UNSMOOTHED, _MEANS = 8, 60  # points that are shown as they are, and the most points of the smoothed line

_STYLES = ("cyan", "magenta", "yellow", "green", "red", "blue")


def mark(number: int) -> tuple[str, str]:
    """The letter and style of a curve."""
    return chr(ord("a") + number % 26), _STYLES[number % len(_STYLES)]


def plot(curves: "Sequence[Curve]", *, width: int, height: int = 10, label: str = "") -> Text:
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


def loss_chart(training: Sequence[Point], validation: Sequence[Point], *, width: int, height: int) -> Text:
    """A chart of both losses, with the highest and the lowest on the y axis and the steps on the x axis.

    Args:
        training: at least one point, in the order of the steps; the line joins means of neighbouring points.
        validation: any number of points; those outside of the steps that are shown are left out.
        width: total width in columns.
        height: number of rows, with that of the x axis.
    """
    first, last = training[0][0], training[-1][0]
    beginning = first + _LEFT_OUT * (last - first) if len(training) >= _MANY else first
    kept = [point for point in training if point[0] >= beginning]
    start = kept[0][0]
    line = smoothed(kept, max(min(len(kept), _UNSMOOTHED), min(_MEANS, len(kept) // 2)))
    marks = [(step, loss) for step, loss in validation if start <= step <= last and math.isfinite(loss)]
    losses = [loss for _, loss in (*line, *marks)]
    low, high = min(losses), max(losses)
    labels = {height - 2: number_of(low), 0: number_of(high)}
    margin = max(map(len, labels.values()))
    rows, columns = height - 1, max(1, width - margin - 2)

    def place(point: Point, across: int, down: int) -> tuple[int, int]:
        x = (point[0] - start) / (last - start) if last > start else 0.0
        y = (high - point[1]) / (high - low) if high > low else 0.5
        return round(x * (across - 1)), round(y * (down - 1))

    cells = [[0] * columns for _ in range(rows)]
    for x, y in _joined([place(point, 2 * columns, 4 * rows) for point in line]):
        cells[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
    marked = {place(point, columns, rows) for point in marks}
    chart = Text(no_wrap=True, overflow="crop")
    for row in range(rows):
        label = labels.get(row, "")
        chart.append(f"{label:>{margin}} {'┤' if label else '│'}", style="dim")
        for column, dots in enumerate(cells[row]):
            if (column, row) in marked:
                chart.append(*VALIDATION)
            else:
                chart.append(chr(_BRAILLE + dots) if dots else " ", style=TRAINING[1])
        chart.append("\n")
    left, right = f" step {start:,.0f} ", f" {last:,.0f}"
    return chart.append(f"{'':{margin}} └{left}{'─' * (columns - len(left) - len(right))}{right}", style="dim")


def smoothed(points: Sequence[Point], count: int) -> list[Point]:
    """The means of `count` equal sections; `count` is at most the number of points."""
    edges = [round(index * len(points) / count) for index in range(count + 1)]
    sections = [points[start:end] for start, end in pairwise(edges)]
    return [
        (sum(step for step, _ in section) / len(section), sum(loss for _, loss in section) / len(section))
        for section in sections
    ]


def number_of(value: float | None) -> str:
    """A number in at most eight characters; empty for None."""
    if value is None:
        return ""
    if value == 0 or 0.001 <= abs(value) < 100:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def _column_means(curve: "Curve", left: float, right: float, columns: int) -> list[float | None]:
    """The mean of the values in each column; None if there are none or the mean is not finite."""
    sums, counts = [0.0] * columns, [0] * columns
    for x, y in zip(curve.x, curve.y, strict=True):
        column = min(columns - 1, int((x - left) / (right - left) * columns)) if right > left else 0
        sums[column] += y
        counts[column] += 1
    return [
        total / count if count and math.isfinite(total) else None for total, count in zip(sums, counts, strict=True)
    ]


def _joined(corners: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The dots of the straight lines from corner to corner."""
    yield corners[0]
    for (x, y), (next_x, next_y) in pairwise(corners):
        length = max(abs(next_x - x), abs(next_y - y))
        for dot in range(1, length + 1):
            yield x + round(dot * (next_x - x) / length), y + round(dot * (next_y - y) / length)

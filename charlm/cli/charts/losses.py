"""The chart of a run while it trains: smoothed training loss as a line, validation as marks."""

import math
from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from charlm.cli.charts.braille import BrailleCanvas
from charlm.cli.ui.numbers import number_of

Point = tuple[float, float]
"""A step and a loss in nats per token."""

TRAINING, VALIDATION = ("⠒", "cyan"), ("●", "magenta")
"""The mark of each loss, for a legend, and its style."""

_LEFT_OUT, _MANY = 0.1, 20  # of many points, those of the first steps, whose high loss would flatten the rest
_UNSMOOTHED, _MEANS = 8, 60  # points that are shown as they are, and the most points of the smoothed line


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
    line = section_means(kept, max(min(len(kept), _UNSMOOTHED), min(_MEANS, len(kept) // 2)))
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

    canvas = BrailleCanvas(columns, rows)
    for start_dot, end_dot in pairwise([*line[:1], *line]):
        canvas.line(
            place(start_dot, canvas.dot_columns, canvas.dot_rows),
            place(end_dot, canvas.dot_columns, canvas.dot_rows),
            TRAINING[1],
        )
    for point in marks:
        canvas.character(*place(point, columns, rows), *VALIDATION)
    chart = Text(no_wrap=True, overflow="crop")
    for row in range(rows):
        label = labels.get(row, "")
        chart.append(f"{label:>{margin}} {'┤' if label else '│'}", style="dim")
        chart.append(canvas.row(row)).append("\n")
    left, right = f" step {start:,.0f} ", f" {last:,.0f}"
    return chart.append(f"{'':{margin}} └{left}{'─' * (columns - len(left) - len(right))}{right}", style="dim")


def section_means(points: Sequence[Point], count: int) -> list[Point]:
    """The means of `count` equal sections; `count` is at most the number of points."""
    edges = [round(index * len(points) / count) for index in range(count + 1)]
    sections = [points[start:end] for start, end in pairwise(edges)]
    return [
        (sum(step for step, _ in section) / len(section), sum(loss for _, loss in section) / len(section))
        for section in sections
    ]

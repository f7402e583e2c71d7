"""Line charts of runs: each run has its mark, dashes and colour, so that a chart is readable without colour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from rich.text import Text

from charlm.analysis.runs.axes import Limits, tick_labels, ticks
from charlm.analysis.runs.curves import Curve
from charlm.cli.charts.braille import BrailleCanvas
from charlm.cli.ui.numbers import number_of

_MARKS = "●▲■◆○△□◇" + ascii_lowercase
_DASHES = ("#", "####..", "##..", "#..", "#####..#..")
_STYLES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2")  # Okabe and Ito, for all colour vision
_ABOVE, _BELOW = "↑", "↓"
_MIN_COLUMNS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """What a chart shows of one run."""

    line: Curve
    points: Curve | None = None
    """Drawn with the mark of the run, and with their margins."""
    outliers: Curve | None = None
    """Its values beyond the limits are marked at the edge; the line's, if None."""

    def curves(self) -> list[Curve]:
        """The curves whose values may lie beyond the limits."""
        return [self.outliers or self.line, *([] if self.points is None else [self.points])]


def mark(number: int) -> tuple[str, str]:
    """The mark and style of a run."""
    return _MARKS[number % len(_MARKS)], _STYLES[number % len(_STYLES)]


def plot(series: Sequence[Series], limits: Limits, *, right: float, unit: str, width: int, height: int = 10) -> Text:
    """A chart.

    A line shows the highest value of each column of dots. At its right end stands the mark of the run, if there are
    several.

    Args:
        series: one for each run; where two meet, the later one is visible.
        limits: of the y axis.
        right: end of the x axis, which starts at 0.
        unit: label of the x axis.
        width: total width in columns.
        height: rows of the chart, without the x axis.
    """
    values = ticks(limits, max(2, (height + 1) // 2))
    texts = tick_labels(values)
    margin = max(map(len, texts), default=0) + 2
    columns = max(_MIN_COLUMNS, width - margin - (2 if len(series) > 1 else 0))
    chart = _Chart(BrailleCanvas(columns, height), limits, right)
    for number, one in enumerate(series):
        chart.draw(number, one)
    names = dict(zip((chart.place(0, value)[1] // 4 for value in values), texts, strict=True))
    ends = chart.ends(series) if len(series) > 1 else {}
    text = Text()
    for row in range(height):
        name = names.get(row)
        text.append(f"{name or '':>{margin - 2}} {'│' if name is None else '┤'}", style="dim")
        text.append(chart.canvas.row(row))
        if row in ends:
            symbol, style = mark(ends[row])
            text.append(f" {symbol}", style=style)
        text.append("\n")
    return text.append(_x_axis(right, unit, columns, margin), style="dim")


def beyond(series: Sequence[Series], limits: Limits) -> str:
    """What the marks at the edges of a chart mean; empty if all values lie between the limits."""
    values = [value for one in series for curve in one.curves() for value in curve.y]
    highest, lowest = max(values, default=limits.high), min(values, default=limits.low)
    parts = []
    if highest > limits.high:
        parts.append(f"{_ABOVE} above the chart: up to {number_of(highest)}")
    if lowest < limits.low:
        parts.append(f"{_BELOW} below the chart: down to {number_of(lowest)}")
    return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class _Chart:
    """A canvas with axes."""

    canvas: BrailleCanvas
    limits: Limits
    right: float

    def place(self, x: float, y: float) -> tuple[int, int]:
        """The dot of a point; that of the nearest limit, if y lies beyond it."""
        share = self.limits.share(self.limits.clip(y))
        column = round(x / self.right * (self.canvas.dot_columns - 1)) if self.right else 0
        return column, round((1 - share) * (self.canvas.dot_rows - 1))

    def draw(self, number: int, series: Series) -> None:
        """Draw a run: its line, points, and marks of outliers."""
        symbol, style = mark(number)
        dashes = _DASHES[number % len(_DASHES)]
        places = list(self._line(series.line))
        phase = 0
        for start, end in zip(places, places[1:] or places, strict=False):
            phase = self.canvas.line(start, end, style, dashes, phase)
        points = series.points or Curve(x=(), y=())
        for index, (x, y) in enumerate(zip(points.x, points.y, strict=True)):
            half = (points.margin[index] if points.margin else None) or 0.0
            column, row = self.place(x, y)
            if half:
                self.canvas.line(self.place(x, y + half), self.place(x, y - half), style)
            self.canvas.character(column // 2, row // 4, symbol, style)
        for curve in series.curves():
            for x, y in zip(curve.x, curve.y, strict=True):
                if y != self.limits.clip(y):
                    column, row = self.place(x, y)
                    self.canvas.character(column // 2, row // 4, _ABOVE if y > self.limits.high else _BELOW, style)

    def ends(self, series: Sequence[Series]) -> dict[int, int]:
        """The row in which each line ends, or a free one near it, with the number of the run."""
        rows: dict[int, int] = {}
        height = self.canvas.dot_rows // 4
        for number, one in enumerate(series):
            free = [row for row in range(height) if row not in rows]
            if one.line.y and free:
                end = self.place(one.line.x[-1], one.line.y[-1])[1] // 4
                rows[min(free, key=lambda row: abs(row - end))] = number
        return rows

    def _line(self, curve: Curve) -> Iterator[tuple[int, int]]:
        """The highest dot of a curve in each column of dots that it has values in."""
        highest: dict[int, int] = {}
        for x, y in zip(curve.x, curve.y, strict=True):
            column, row = self.place(x, y)
            highest[column] = min(row, highest.get(column, row))
        yield from sorted(highest.items())


def _x_axis(right: float, unit: str, columns: int, margin: int) -> str:
    """A line with ticks, and their values below it, the last with the unit. Values without room are left out."""
    line, below = ["─"] * columns, [" "] * columns
    values = ticks(Limits(low=0.0, high=right), max(2, columns // 10))
    texts = tick_labels(values)
    free = columns
    for value, text in zip(reversed(values), reversed(texts), strict=True):
        column = round(value / right * (columns - 1)) if right else 0
        line[column] = "┬"
        shown = f"{text} {unit}" if value == values[-1] else text
        start = max(0, min(column - len(text) // 2, columns - len(shown)))
        if start + len(shown) <= free:
            below[start : start + len(shown)] = shown
            free = start - 2
    return f"{' ' * (margin - 1)}└{''.join(line)}\n{' ' * margin}{''.join(below)}".rstrip()

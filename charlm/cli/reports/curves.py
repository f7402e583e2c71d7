"""What `charlm curves` prints: a chart for each unit, and a table of final values."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from charlm.analysis.runs.axes import Limits, loss_limits, robust_limits, smoothed, x_unit
from charlm.analysis.runs.curves import Against, Curve, RunCurves
from charlm.cli.charts.plot import Series, beyond, mark, plot
from charlm.cli.ui.console import stdout
from charlm.cli.ui.numbers import number_of, with_margin
from charlm.cli.ui.visible import for_stdout

_MAX_WIDTH = 100
_TWO_CHARTS = 76  # columns from which two charts stand side by side


def show_charts(runs: Sequence[RunCurves], against: Against) -> None:
    """Print charts of loss, gradient norm and learning rate, and the table."""
    console = stdout()
    width = min(console.width, _MAX_WIDTH)
    right = max((x for run in runs for curve in run.curves.values() for x in curve.x), default=0.0)
    unit, size = x_unit(against, right)
    runs = [run.scaled(size) for run in runs]
    if len(runs) > 1:
        console.print(Text("  ").join(_name(number, run) for number, run in enumerate(runs)), width=width)
        console.print()
    half = (width - 2) // 2 if width >= _TWO_CHARTS else width
    charts = [
        _chart(title, *chart, right=right / size, unit=unit, width=columns, height=height)
        for title, chart, columns, height in (
            ("loss, nats per token (lines: training, smoothed; marks: validation)", _losses(runs), width, 10),
            ("gradient norm (log scale)", _gradient_norms(runs), half, 5),
            ("learning rate", _learning_rates(runs), half, 5),
        )
    ]
    console.print(charts[0], width=width)
    console.print()
    if half < width:
        pair = Table.grid(padding=(0, 2, 0, 0))
        pair.add_row(*charts[1:])
        console.print(pair)
    else:
        console.print(charts[1], "", charts[2], sep="\n", width=width)
    console.print()
    _show_table(console, runs, unit)


def _name(number: int, run: RunCurves) -> Text:
    """The mark and name of a run."""
    symbol, style = mark(number)
    return Text(f"{symbol} ", style=style).append(for_stdout(run.run), "default")


def _chart(
    title: str, series: Sequence[Series], limits: Limits | None, *, right: float, unit: str, width: int, height: int
) -> Text:
    """A chart with its title above it, and below it what the marks at its edges mean."""
    text = Text(title, style="bold").append("\n")
    if limits is None:
        return text.append("no data yet", style="dim")
    text = Text().append(text).append(plot(series, limits, right=right, unit=unit, width=width, height=height))
    note = beyond(series, limits)
    return text.append(f"\n{note}", style="dim") if note else text


def _losses(runs: Sequence[RunCurves]) -> tuple[list[Series], Limits | None]:
    limits = loss_limits(runs)
    if limits is None:
        return [], None
    return [
        Series(line=smoothed(run.curves["loss"], limits), points=run.curves["validation"], outliers=run.curves["loss"])
        for run in runs
    ], limits


def _gradient_norms(runs: Sequence[RunCurves]) -> tuple[list[Series], Limits | None]:
    """The norms above 0, for a log axis."""
    curves = []
    for run in runs:
        norms = run.curves["gradient norm"]
        positive = [(x, y) for x, y in zip(norms.x, norms.y, strict=True) if y > 0]
        curves.append(Curve(x=tuple(x for x, _ in positive), y=tuple(y for _, y in positive)))
    return [Series(line=curve) for curve in curves], robust_limits((y for one in curves for y in one.y), log=True)


def _learning_rates(runs: Sequence[RunCurves]) -> tuple[list[Series], Limits | None]:
    curves = [run.curves["learning rate"] for run in runs]
    highest = max((y for curve in curves for y in curve.y), default=None)
    return [Series(line=curve) for curve in curves], None if highest is None else Limits(low=0.0, high=highest)


def _show_table(console: Console, runs: Sequence[RunCurves], unit: str) -> None:
    """Print final values: a row for each run, or a block if the terminal is too narrow."""
    headings = ("run", unit, "loss", "lowest validation", "at", "last validation")
    rows = [_final_values(number, run) for number, run in enumerate(runs)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    if console.measure(table, options=console.options.update(width=1000)).maximum > console.width:
        table = Table.grid(padding=(0, 2, 0, 0))
        for row in rows:
            for heading, value in zip(headings, row, strict=True):
                table.add_row(Text(heading, style="dim"), value)
            table.add_row()
    console.print(table)
    console.print("losses in nats per token; loss: mean of the last ten log entries (up to 100 steps)", style="dim")
    console.print("gradient norm: before clipping, the highest in each column", style="dim")
    if any(margin for run in runs for margin in run.curves["validation"].margin):
        console.print(
            "±: 95% interval of an estimate from a sample of the validation split; charlm compare scores whole splits",
            style="dim",
        )


def _final_values(number: int, run: RunCurves) -> tuple[Text | str, ...]:
    loss, validation = run.curves["loss"], run.curves["validation"]
    scores = list(zip(validation.y, validation.x, validation.margin, strict=True))
    lowest = min(scores, key=lambda score: score[0], default=None)
    return (
        _name(number, run),
        number_of(loss.x[-1] if loss.x else None),
        f"{sum(loss.y[-10:]) / len(loss.y[-10:]):.4f}" if loss.y else "",
        "" if lowest is None else with_margin(lowest[0], lowest[2]),
        "" if lowest is None else number_of(lowest[1]),
        with_margin(scores[-1][0], scores[-1][2]) if scores else "",
    )

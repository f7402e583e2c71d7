"""`charlm runs`: the runs in runs/, with their metrics."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options.shared import JsonOption

if TYPE_CHECKING:
    from charlm.analysis.runs.listing import RunSummary

_ROOM = {"text": 100, "network": 50, "done": 70, "steps": 70, "time": 70, "saved": 36}
"""Columns of the terminal from which those of the table are shown; the names and losses of runs always are."""
_LEAST_NAME = 8
_FIGURES = {"loss": "bits_per_character", "time": "seconds", "steps": "steps"}


def runs(
    sort: Annotated[
        Literal["newest", "name", "loss", "time", "steps"],
        typer.Option(metavar="NAME", help="Order: newest, name, loss (lowest first), time or steps (most first)."),
    ] = "newest",
    json: JsonOption = False,
) -> None:
    """List the runs in runs/ with their settings and metrics.

    The validation loss is the lowest during training, in bits per character; ± marks an estimate from a sample of the
    split. To compare models exactly, use `charlm compare`.

    Examples:
      [bold]charlm runs[/bold]
      [bold]charlm runs --sort loss[/bold]
    """
    from charlm.analysis.runs.listing import list_runs
    from charlm.cli.ui.console import print_json, stderr

    summaries = list_runs()
    if sort == "name":
        summaries.sort(key=lambda summary: summary.run)
    elif sort in _FIGURES:
        figures = {summary.run: getattr(summary, _FIGURES[sort]) for summary in summaries}
        sign = 1 if sort == "loss" else -1
        summaries.sort(key=lambda summary: (figures[summary.run] is None, sign * (figures[summary.run] or 0)))
    if json:
        print_json([summary.to_json() for summary in summaries])
    elif summaries:
        _show(summaries)
    else:
        stderr().print("no runs in runs/ here; train one with: charlm train TEXT", soft_wrap=True)


def _show(summaries: "list[RunSummary]") -> None:
    from rich.table import Table

    from charlm.cli.ui.console import stdout
    from charlm.cli.ui.numbers import ago, duration, thousands, with_margin

    def loss(one: "RunSummary") -> str:
        bits = one.bits_per_character
        return "" if bits is None else with_margin(bits, (one.margin or 0) * bits / (one.nats_per_token or 1))

    cells: dict[str, Callable[[RunSummary], str]] = {
        "run": lambda one: one.run,
        "text": lambda one: one.text or "",
        "network": lambda one: one.network or "",
        "done": lambda one: "" if one.progress is None else f"{one.progress:.0%}",
        "steps": lambda one: "" if one.steps is None else thousands(one.steps),
        "time": lambda one: "" if one.seconds is None else duration(one.seconds),
        "bits/char": loss,
        "saved": lambda one: ago(one.saved),
    }
    console = stdout()
    shown = [heading for heading in cells if console.width >= _ROOM.get(heading, 0)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in shown:
        if heading in ("run", "text"):
            table.add_column(heading, overflow="fold", min_width=_LEAST_NAME)
        else:
            table.add_column(heading, justify="left" if heading == "network" else "right", no_wrap=True)
    for one in summaries:
        table.add_row(*(cells[heading](one) for heading in shown))
    console.print(table)
    for one in summaries:
        if one.problem is not None:
            console.print(f"{one.run}: {one.problem}", style="dim", soft_wrap=True)

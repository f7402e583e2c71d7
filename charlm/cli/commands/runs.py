"""`charlm runs`: the runs in runs/, with their metrics."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options.shared import JsonOption

if TYPE_CHECKING:
    from charlm.analysis.runs.listing import RunSummary

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

    console = stdout()
    has_room = console.width >= 100  # for the text, which most runs are named after
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run", overflow="fold")
    if has_room:
        table.add_column("text", overflow="fold")
    table.add_column("network", no_wrap=True)
    for heading in ("done", "steps", "time", "bits/char", "saved"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in summaries:
        bits = one.bits_per_character
        table.add_row(
            one.run,
            *([one.text or ""] if has_room else []),
            one.network or "",
            "" if one.progress is None else f"{one.progress:.0%}",
            "" if one.steps is None else thousands(one.steps),
            "" if one.seconds is None else duration(one.seconds),
            "" if bits is None else with_margin(bits, (one.margin or 0) * bits / (one.nats_per_token or 1)),
            ago(one.saved),
        )
    console.print(table)
    for one in summaries:
        if one.problem is not None:
            console.print(f"{one.run}: {one.problem}", style="dim", soft_wrap=True)

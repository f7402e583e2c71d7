"""`charlm neurons`: the units of a model that follow properties of a text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.corpus import LabelOption
from charlm.cli.options.output import OpenOption, OverwriteOption, check_open, output_path, write_page
from charlm.cli.options.reader import ModelAndText, ReadSourceOption, UnknownOption, open_reader
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError
from charlm.nouns import count_of, form_for, rounded

if TYPE_CHECKING:
    from rich.table import Table

    from charlm.analysis.units.findings import Neurons


def neurons(
    arguments: ModelAndText = None,
    top: Annotated[int, typer.Option(help="Number of units to report for each property.")] = 2,
    tokens: Annotated[
        int, typer.Option(help="Maximum number of tokens to read from the start of the text; use at least 1,000.")
    ] = 200_000,
    page: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a self-contained HTML page to this file: for each property with a confirmed unit, an excerpt "
            "coloured by that unit.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save a plot of how often each gate is closed and open: .png, .svg or .pdf; needs the extra "
            "charlm-rnn\\[plots].",
        ),
    ] = None,
    open_page: OpenOption = False,
    overwrite: OverwriteOption = False,
    unknown: UnknownOption = "replace",
    label: LabelOption = None,
    source: ReadSourceOption = None,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Find the units of a model that follow quotes, brackets, lines, words and other properties of a text.

    The text is cut into 20 blocks. Units are selected on every other block and measured on the rest, the held-out half.
    A unit's score is its AUC, or its rank correlation for properties that are numbers. The untrained score is that of
    the best unit of eight untrained networks.

    A unit is confirmed if
      - its held-out score is at least 0.75 (AUC) or 0.4 (rank correlation),
      - the held-out score is at most 0.1 below the selection score, and
      - both are at least 0.05 (AUC) or 0.1 (rank correlation) above the untrained score.

    Examples:
      [bold]charlm neurons novel.txt[/bold]
      [bold]charlm neurons runs/code module.py --html units.html[/bold]
      [bold]charlm neurons runs/code module.py --plot gates.png[/bold]
    """
    from charlm.analysis.html.neurons_page import neurons_page
    from charlm.analysis.plots import check_plot, draw_saturation, save_plot
    from charlm.analysis.units.neurons import find_neurons
    from charlm.cells.gates import logistic_gates
    from charlm.cli.ui.console import Bars, print_json, stderr

    check_open(open_page, page)
    use_threads(threads)
    if plot is not None:
        check_plot(plot)
    loaded, text, title = open_reader(arguments, command="charlm neurons", label=label, source=source, unknown=unknown)
    inputs = (arguments or [])[-1], loaded.path
    if page is not None:
        page = output_path(page, "--html", inputs=inputs, overwrite=overwrite)
    if plot is not None:
        plot = output_path(plot, "--plot", inputs=inputs, overwrite=overwrite)
    model, tokenizer = loaded.model, loaded.tokenizer
    if plot is not None and not logistic_gates(model.recurrent.cell):
        raise ConfigError(f"--plot shows gates, but the cell {model.config.cell} has none; leave out --plot")
    with Bars(stderr()) as progress:
        result = find_neurons(model, tokenizer, text, top=top, tokens=tokens, unknown=unknown, progress=progress)
    if page is not None:
        write_page(page, neurons_page(result, title=title), open_page=open_page)
    if plot is not None:
        save_plot(draw_saturation(result.saturation, title), plot)
        stderr().print(f"wrote {plot}", soft_wrap=True)
    if json:
        print_json(result.to_json())
    else:
        _show(result, title)


def _show(result: "Neurons", title: str) -> None:
    """Print a table of properties and units, and how saturated the gates are."""
    from charlm.cli.ui.console import note, stdout

    console = stdout()
    console.print(title, style="bold")
    console.print(f"{count_of(len(result.texts), 'token')}, {count_of(len(result.best), 'unit')}", style="dim")
    if result.findings:
        console.print(_table(result))
        confirmed = sum(follower.confirmed for _, follower in result.best)
        console.print(
            "held-out: on the half of the text not used to select units; untrained: the best unit of eight\n"
            "untrained networks of the same shape. Of all units, each compared with the property it follows\n"
            f"best, {confirmed:,} of {len(result.best):,} {form_for(confirmed, 'is', 'are')} confirmed.",
            style="dim",
        )
    for gate in result.saturation:
        shares = f"closed {gate.shut.mean():.1%} of the time, open {gate.open.mean():.1%}"
        console.print(f"layer {gate.layer}, gate {gate.gate}: {shares}", style="dim")
    for name, reason in result.left_out.items():
        note(f"left out: {name} ({reason})")


def _table(result: "Neurons") -> "Table":
    """One row for each reported unit, by property."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("property", "mean", "unit", "response", "metric", "held-out", "selection", "untrained", ""):
        is_number = name in ("mean", "held-out", "selection", "untrained")
        table.add_column(name, justify="right" if is_number else "left")
    for finding in result.findings:
        mean = f"{finding.mean:.1%}" if finding.kind == "yes or no" else rounded(finding.mean, ".2f")
        for rank, follower in enumerate(finding.followers):
            table.add_row(
                finding.name if rank == 0 else "",
                mean if rank == 0 else "",
                str(follower.unit),
                finding.response(follower),
                finding.metric,
                Text(rounded(follower.found, ".3f"), style="bold" if follower.confirmed else ""),
                rounded(follower.chosen, ".3f"),
                rounded(finding.untrained, ".3f") if rank == 0 else "",
                "" if follower.confirmed else "not confirmed",
                style=None if follower.confirmed else "dim",
            )
    return table

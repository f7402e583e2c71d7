"""`charlm neurons`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.reader import ModelAndText, UnknownOption, open_reader
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.analysis.units.neurons import Neurons


def neurons(
    arguments: ModelAndText = None,
    top: Annotated[int, typer.Option(help="Units to name for each property.")] = 2,
    tokens: Annotated[
        int, typer.Option(help="Most tokens to read, from the beginning of the text; 1,000 or more say something.")
    ] = 200_000,
    page: Annotated[
        Path | None,
        typer.Option(
            "--html",
            help="Write a page to this file: for each property with a confirmed unit, text coloured by that unit; one "
            "file that needs no network.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw how often each gate is shut and open to this file: .png, .svg or .pdf; needs the extra "
            "charlm-rnn\\[plots]."
        ),
    ] = None,
    unknown: UnknownOption = "replace",
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Find the units of a model that mean something: those that follow quotes, brackets, lines, words and so on.

    A unit is chosen on one half of the text (every other twentieth of it) and measured again on the other. It is
    confirmed if its AUC is at least 0.75, or its rank correlation 0.4, there; if that is no more than 0.1 below the
    figure that it was chosen by; and if both surpass the best unit of eight untrained networks by 0.05 (AUC) or 0.1.

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
    from charlm.files import atomic_write

    use_threads(threads)
    if plot is not None:
        check_plot(plot)
    loaded, text, title = open_reader(arguments, what="charlm neurons")
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    if plot is not None and not logistic_gates(model.recurrent.cell):
        raise ConfigError(f"--plot draws gates, and the cell {model.config.cell} has none; leave it out")
    with Bars(stderr()) as progress:
        found = find_neurons(model, tokenizer, text, top=top, tokens=tokens, unknown=unknown, progress=progress)
    if page is not None:
        atomic_write(page, neurons_page(found, title=title).encode())
        stderr().print(f"page in {page}", markup=False, soft_wrap=True)
    if plot is not None:
        save_plot(draw_saturation(found.saturation, title), plot)
        stderr().print(f"picture in {plot}", markup=False, soft_wrap=True)
    if json:
        print_json(found.to_json())
    else:
        _show(found, title)


def _show(found: "Neurons", title: str) -> None:
    """A table of properties and units, and how saturated the gates are."""
    from rich.table import Table
    from rich.text import Text

    from charlm.cli.ui.console import stderr, stdout

    console = stdout()
    console.print(title, style="bold", markup=False)
    console.print(f"{len(found.texts):,} tokens, {len(found.best):,} units", style="dim")
    if found.findings:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("property", "mean", "unit", "then", "", "found", "chosen by", "untrained", ""):
            table.add_column(name, justify="right" if name in ("mean", "found", "chosen by", "untrained") else "left")
        for finding in found.findings:
            mean = f"{finding.mean:.1%}" if finding.kind == "yes or no" else f"{finding.mean:.2f}"
            for place, one in enumerate(finding.followers):
                table.add_row(
                    *((finding.name, mean) if place == 0 else ("", "")),
                    str(one.unit),
                    finding.then(one),
                    finding.figure,
                    Text(f"{one.found:.3f}", style="bold" if one.confirmed else ""),
                    f"{one.chosen:.3f}",
                    f"{finding.untrained:.3f}" if place == 0 else "",
                    "" if one.confirmed else "not confirmed",
                    style=None if one.confirmed else "dim",
                )
        console.print(table)
        confirmed = sum(one.confirmed for _, one in found.best)
        console.print(
            "found: on the half of the text by which no unit was chosen; untrained: the best unit of eight\n"
            "networks of the same shape that have learnt nothing. Of all units, each beside the property\n"
            f"that it follows best, {confirmed:,} of {len(found.best):,} are confirmed.",
            style="dim",
            markup=False,
        )
    for gate in found.saturation:
        shares = f"shut {gate.shut.mean():.1%} of the time, open {gate.open.mean():.1%}"
        console.print(f"layer {gate.layer}, gate {gate.gate}: {shares}", style="dim")
    for name, why in found.left_out.items():
        stderr().print(f"note: left out: {name}, which {why}", style="yellow", markup=False, soft_wrap=True)

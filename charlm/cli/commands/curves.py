"""`charlm curves`: training curves of runs, and advice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options.completion import complete_run
from charlm.cli.options.output import OverwriteOption, output_path
from charlm.cli.options.shared import JsonOption
from charlm.files import METRICS_FILE

if TYPE_CHECKING:
    from charlm.analysis.runs.curves import RunCurves


def curves(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN...]",
            autocompletion=complete_run,
            help="Run folders or run names.",
            show_default="the newest run",
        ),
    ] = None,
    against: Annotated[
        Literal["steps", "time", "tokens"],
        typer.Option(metavar="NAME", help="The x axis: steps, time (seconds) or tokens (trained on)."),
    ] = "steps",
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save a plot of the curves: .png, .svg or .pdf; needs the extra charlm-rnn\\[plots].",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
) -> None:
    """Plot the training curves of one or more runs: loss, validation loss, gradient norm and learning rate.

    Examples:
      [bold]charlm curves[/bold]
      [bold]charlm curves first second --against time[/bold]
      [bold]charlm curves first second --plot curves.png[/bold]
    """
    from charlm.analysis.plots import check_plot, draw_curves, save_plot
    from charlm.analysis.runs.curves import differences, read_curves
    from charlm.cli.ui.console import print_json, stderr
    from charlm.storage.runs import RunFolder, find_run, newest_run

    if plot is not None:
        check_plot(plot)
        plot = output_path(plot, "--plot", overwrite=overwrite)
    folders = [find_run(name) for name in runs] if runs else [newest_run(METRICS_FILE)]
    run_curves = [read_curves(RunFolder(folder), against) for folder in folders]
    if plot is not None:
        save_plot(draw_curves(run_curves, against), plot)
    if json:
        print_json([run.to_json() for run in run_curves])
    else:
        _show(run_curves, against)
        if different := differences([RunFolder(folder) for folder in folders]):
            stderr().print(
                f"note: these losses can't be compared, since the runs differ in {', '.join(different)}; compare the "
                "models on one text with: charlm compare MODEL MODEL TEXT",
                markup=False,
                soft_wrap=True,
                style="yellow",
            )
    if plot is not None:
        stderr().print(f"wrote {plot}", markup=False, soft_wrap=True)


def _show(runs: "list[RunCurves]", against: str) -> None:
    """Print a chart for each quantity, and a table of final values."""
    from rich.table import Table
    from rich.text import Text

    from charlm.analysis.runs.curves import QUANTITIES
    from charlm.cli.ui.console import stdout, with_margin
    from charlm.cli.ui.plot import mark, number_of, plot
    from charlm.cli.ui.visible import for_stdout

    console = stdout()
    width = min(console.width, 100)
    units = {"steps": "steps", "time": "s", "tokens": "tokens"}
    for quantity in QUANTITIES:
        console.print(quantity, style="bold")
        console.print(plot([run.curves[quantity] for run in runs], width=width, label=units[against]))
        console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run")
    for name in (against, "loss", "lowest validation", "at", "last validation"):
        table.add_column(name, justify="right")
    for index, run in enumerate(runs):
        letter, style = mark(index)
        loss, validation = run.curves["loss"], run.curves["validation"]
        scores = list(zip(validation.y, validation.x, validation.margin, strict=True))
        lowest = min(scores, key=lambda score: score[0], default=None)
        table.add_row(
            Text(f"{letter} ", style=style).append(for_stdout(run.run), "default"),
            number_of(loss.x[-1] if loss.x else None),
            f"{sum(loss.y[-10:]) / len(loss.y[-10:]):.4f}" if loss.y else "",
            "" if lowest is None else with_margin(lowest[0], lowest[2]),
            "" if lowest is None else number_of(lowest[1]),
            with_margin(scores[-1][0], scores[-1][2]) if scores else "",
        )
    console.print(table)
    console.print("losses in nats per token; loss: mean of the last ten log entries (up to 100 steps)", style="dim")
    if any(margin for run in runs for margin in run.curves["validation"].margin):
        console.print(
            "±: 95% interval of an estimate from a sample of the validation split; charlm compare scores whole splits",
            style="dim",
        )

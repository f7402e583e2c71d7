"""`charlm curves`: training curves of runs, and advice."""

from typing import Annotated, Literal

import typer

from charlm.cli.options.completion import complete_run
from charlm.cli.options.output import CurvesPlotOption, OverwriteOption, output_path
from charlm.cli.options.shared import JsonOption
from charlm.files import METRICS_FILE


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
    plot: CurvesPlotOption = None,
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
    from charlm.cli.reports.curves import show_charts
    from charlm.cli.ui.console import note, print_json, stderr
    from charlm.storage.runs import RunFolder, find_run, newest_run

    if plot is not None:
        check_plot(plot)
        plot = output_path(plot, "--plot", overwrite=overwrite)
    folders = [find_run(name, "RUN") for name in runs] if runs else [newest_run(METRICS_FILE)]
    run_curves = [read_curves(RunFolder(folder), against) for folder in folders]
    different = [] if json or len(folders) == 1 else differences([RunFolder(folder) for folder in folders])
    if plot is not None:
        save_plot(draw_curves(run_curves, against), plot)
    if json:
        print_json([run.to_json() for run in run_curves])
    else:
        show_charts(run_curves, against)
        if different:
            note(
                f"these losses can't be compared, since the runs differ in {', '.join(different)}; compare the models "
                "on one text with: charlm compare MODEL MODEL TEXT"
            )
    if plot is not None:
        stderr().print(f"wrote {plot}", soft_wrap=True)

"""`charlm diagnose`: gradients through time, for several cells."""

from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.completion import complete_cells
from charlm.cli.options.corpus import (
    DocumentsOption,
    EncodingOption,
    ErrorsOption,
    SeparatorOption,
    TextArgument,
    corpus_options,
)
from charlm.cli.options.output import CurvesPlotOption, OverwriteOption, output_path
from charlm.cli.options.shared import JsonOption, use_threads
from charlm.config import RecurrentInit
from charlm.nouns import count_of

if TYPE_CHECKING:
    from rich.console import Console

    from charlm.analysis.gradients.diagnosis import Diagnosis


def diagnose(
    context: typer.Context,
    text: TextArgument = None,
    cells: Annotated[
        str, typer.Option(autocompletion=complete_cells, help="Recurrent cells to compare, separated by commas.")
    ] = "rnn,lstm,gru",
    lags: Annotated[int, typer.Option(help="Number of steps to follow the gradient back.")] = 200,
    init: Annotated[
        RecurrentInit,
        typer.Option(
            metavar="NAME",
            help="Initial recurrent weights: orthogonal, identity, leaky-identity, xavier, uniform, or auto, which is "
            "leaky-identity for irnn and orthogonal otherwise.",
        ),
    ] = "auto",
    forget_bias: Annotated[
        float,
        typer.Option(help="Initial bias of an LSTM's forget gate; a high bias carries gradients from the start."),
    ] = 1.0,
    update_bias: Annotated[
        float, typer.Option(help="The same for the gate that keeps the state in gru, mut1 to mut3 and mingru.")
    ] = 0.0,
    steps: Annotated[
        int, typer.Option(help="Training steps between the two measurements; 0 measures the initial weights only.")
    ] = 300,
    hidden: Annotated[int, typer.Option(help="Width of the hidden state; above 128, measuring takes minutes.")] = 64,
    seed: Annotated[
        int, typer.Option(help="Random seed for the initial weights, the order in which the text is read, and dropout.")
    ] = 1,
    threads: Annotated[int, typer.Option(help="CPU threads; narrow layers are fastest with one.")] = 1,
    plot: CurvesPlotOption = None,
    overwrite: OverwriteOption = False,
    documents: DocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    json: JsonOption = False,
) -> None:
    """Show how gradients vanish, explode or survive through time.

    Trains a one-layer model of each cell on TEXT. Before and after training it measures how much of the gradient flows
    back in time.

    Examples:
      [bold]charlm diagnose tinyshakespeare[/bold]
      [bold]charlm diagnose novel.txt --cells rnn,lstm --init identity --steps 1000 --plot gradients.png[/bold]
    """
    from charlm.analysis.gradients import diagnosis
    from charlm.analysis.plots import check_plot, draw_gradients, save_plot
    from charlm.cli.ui.console import Bars, print_json, stderr

    use_threads(threads)
    if plot is not None:
        check_plot(plot)
        plot = output_path(plot, "--plot", inputs=text or (), overwrite=overwrite)
    with Bars(stderr()) as progress:
        result = diagnosis.diagnose(
            text or [],
            cells=[name.strip() for name in cells.split(",") if name.strip()],
            lags=lags,
            steps=steps,
            hidden_size=hidden,
            recurrent_init=init,
            forget_bias=forget_bias,
            update_bias=update_bias,
            seed=seed,
            corpus=corpus_options(context),
            progress=progress,
        )
    if plot is not None:
        save_plot(draw_gradients(result), plot)
    if json:
        print_json(result.to_json())
    else:
        _show(result)
    if plot is not None:
        stderr().print(f"wrote {plot}", soft_wrap=True)


def _show(result: "Diagnosis") -> None:
    """Print a chart, a table of numbers, and a sentence for each curve."""
    from rich.table import Table

    from charlm.cli.ui.console import stdout

    console = stdout()
    title = f"{result.text}: gradient of the loss at one step with respect to the state k steps earlier"
    console.print(title, style="bold")
    trained = f"trained: {count_of(result.steps, 'step')}" if result.steps else "not trained"
    console.print(
        f"1 layer, {count_of(result.hidden_size, 'unit')}; {trained}; means over "
        f"{count_of(result.positions, 'position')} in {count_of(result.rows, 'row')}",
        style="dim",
    )
    console.print()
    _show_chart(console, result)
    console.print()
    _show_numbers(console, result)
    console.print()
    table = Table.grid(padding=(0, 2))
    for diagnosed in result.cells:
        for moment, flow in diagnosed.flows().items():
            cell = diagnosed.cell if moment == "start" else ""
            table.add_row(cell, f"{moment:7} {flow.memory}", flow.decay.sentence)
    table.columns[0].style = "bold"
    console.print(table)


def _show_chart(console: "Console", result: "Diagnosis") -> None:
    """Print a line of blocks for each curve."""
    from rich.text import Text

    from charlm.cli.charts.decades import LEGEND, axis, decade_line

    label_width = max(len(diagnosed.cell) for diagnosed in result.cells) + 12
    width = max(10, min(console.width, 100) - label_width)
    for diagnosed in result.cells:
        cell = diagnosed.cell
        for moment, flow in diagnosed.flows().items():
            for state, curve in flow.gradients.items():
                line = Text(f"{cell:{label_width - 12}}", style="bold", no_wrap=True)
                console.print(line.append(f"  {moment:7} {state} ", "not bold").append_text(decade_line(curve, width)))
                cell = ""
    console.print(" " * label_width + axis(result.lags, width), style="dim")
    console.print(LEGEND, style="dim")


def _show_numbers(console: "Console", result: "Diagnosis") -> None:
    """Print a table of the curves at some lags, the Jacobian products, spectral radii and losses."""
    from rich.table import Table

    lags = sorted({lag for lag in (1, 10, 50) if lag < result.lags} | {result.lags})
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("cell", "", "", *(f"k={lag}" for lag in lags), "prod J", "radius", "loss"):
        table.add_column(name, justify="left" if name in ("cell", "") else "right", no_wrap=True)
    for diagnosed in result.cells:
        for moment, flow in diagnosed.flows().items():
            radius = "none" if flow.spectral_radius is None else f"{flow.spectral_radius:.2f}"
            for state, curve in flow.gradients.items():
                first = state == "h"
                table.add_row(
                    diagnosed.cell if first and moment == "start" else "",
                    moment if first else "",
                    state,
                    *(_short(curve[lag] / curve[0] if curve[0] else 0.0) for lag in lags),
                    _short(flow.jacobian_products[state][-1]),
                    radius if first else "",
                    f"{flow.loss:.2f}" if first else "",
                )
    console.print(table)
    console.print(
        "k: share of the gradient left after k steps; prod J: product of the norms of\n"
        f"{count_of(result.lags, 'one-step Jacobian')}; radius: spectral radius of the recurrent weights, the\n"
        "largest of all gates; loss: nats per character",
        style="dim",
    )


def _short(value: float) -> str:
    """0.0123 as 0.01, 4.4e-37 as 4e-37."""
    return f"{value:.2f}" if value == 0 or 0.005 <= value < 1000 else f"{value:.0e}"

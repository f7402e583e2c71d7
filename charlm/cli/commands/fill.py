"""`charlm fill`."""

import os
from typing import Annotated

import typer

from charlm.cli.commands.sample import ModelArgument
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.config import Unknown


def fill(
    model: ModelArgument = None,
    backward: Annotated[
        str | None,
        typer.Option(
            help="The model that reads from right to left: a model file, run folder or name of a run.",
            show_default="the newest of the same text",
        ),
    ] = None,
    left: Annotated[str, typer.Option(help="What stands before the gap.")] = "",
    right: Annotated[str, typer.Option(help="What stands after the gap.")] = "",
    num: Annotated[int, typer.Option(help="How many fillings to print, the best first.")] = 5,
    length: Annotated[int, typer.Option(help="Most characters of a filling.")] = 40,
    min_length: Annotated[int, typer.Option(help="Fewest characters of a filling; short ones are likelier.")] = 1,
    beam: Annotated[int, typer.Option(help="How many pieces of each length either model keeps.")] = 256,
    candidates: Annotated[int, typer.Option(help="How many joined texts both models judge.")] = 512,
    unknown: Annotated[
        Unknown, typer.Option(help="A character that the models don't know: error, nearest, skip or replace.")
    ] = "error",
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Write what could stand between two texts.

    It takes two models of the same text: one that reads from left to right, as all do, and one that was trained with
    --direction backward. Either searches from its side of the gap; what they find is joined where they meet, and both
    judge the whole. The score is the mean of their nats, each of the filling and the far side given the near one.

    Examples:
      [bold]charlm train novel.txt --run there[/bold]
      [bold]charlm train novel.txt --run back --direction backward[/bold]
      [bold]charlm fill there --backward back --left "She opened the " --right " and went out."[/bold]
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))

    from rich.table import Table
    from rich.text import Text

    from charlm.cli.ui.console import print_json, stderr, stdout
    from charlm.sampling.infill.fill import FillConfig
    from charlm.text_model import load_infill_models

    use_threads(threads)
    config = FillConfig(length=length, min_length=min_length, beam=beam, candidates=candidates, unknown=unknown)
    forward, other = load_infill_models(model, backward)
    if model is None or backward is None:
        stderr().print(f"using {forward.path} and {other.path}", markup=False, soft_wrap=True)
    found = forward.fill(other, left, right, num=num, config=config)
    if json:
        print_json([one.to_json() for one in found])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("score", "forward", "backward"):
        table.add_column(name, justify="right")
    table.add_column("text", overflow="fold")
    for one in found:
        shown = (left + "[" + one.text + "]" + right).replace("\n", "⏎")
        table.add_row(f"{one.score:.2f}", f"{one.forward:.2f}", f"{one.backward:.2f}", Text(shown))
    stdout().print(table)

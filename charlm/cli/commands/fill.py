"""`charlm fill`: texts for a gap."""

import os
import reprlib
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.completion import complete_model
from charlm.cli.options.shared import JsonOption, ModelArgument, ThreadsOption, use_threads
from charlm.config import Unknown
from charlm.errors import ConfigError
from charlm.files import user_path
from charlm.nouns import rounded

if TYPE_CHECKING:
    from charlm.sampling.infill.fill import Filling


def fill(
    model: ModelArgument = None,
    backward: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            autocompletion=complete_model,
            help="The model that reads from the end to the beginning: a model file, run folder or run name.",
            show_default="the newest one trained on the same text",
        ),
    ] = None,
    left: Annotated[str, typer.Option(help="Text before the gap.")] = "",
    right: Annotated[str, typer.Option(help="Text after the gap.")] = "",
    num: Annotated[int, typer.Option("--num", "-n", help="Number of fillings to print, the best first.")] = 5,
    length: Annotated[int, typer.Option("--length", "-l", help="Maximum number of characters in a filling.")] = 40,
    min_length: Annotated[
        int, typer.Option(help="Minimum number of characters in a filling; short fillings score higher.")
    ] = 1,
    beam: Annotated[int, typer.Option(help="Beam width: partial fillings of each length that each model keeps.")] = 256,
    candidates: Annotated[int, typer.Option(help="Number of joined fillings that both models score.")] = 512,
    unknown: Annotated[
        Unknown,
        typer.Option(
            metavar="ACTION",
            help="How to treat a character the models don't know: error, nearest, skip or replace.",
        ),
    ] = "error",
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Fill the gap between two texts.

    Needs two models of the same text: a normal one, and one trained with --direction backward.

    Each model searches from its own side, their partial fillings are joined, and both models score the result.

    Each model's score is the log-probability, in nats, of the filling and everything the model reads after it, given
    what the model has read before it. The score of a filling is the mean of the two.

    Examples:
      [bold]charlm train novel.txt --run novel[/bold]
      [bold]charlm train novel.txt --run novel-backward --direction backward[/bold]
      [bold]charlm fill novel --backward novel-backward --left "She opened the " --right " and went out."[/bold]
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))

    from charlm.cli.ui.console import print_json, stderr
    from charlm.loading import load_infill_models
    from charlm.sampling.infill.fill import FillConfig

    use_threads(threads)
    _require_no_text(model)
    config = FillConfig(length=length, min_length=min_length, beam=beam, candidates=candidates, unknown=unknown)
    forward_model, backward_model = load_infill_models(model, backward)
    if model is None or backward is None:
        stderr().print(f"using {forward_model.path} and {backward_model.path}", soft_wrap=True)
    fillings = forward_model.fill(backward_model, left, right, num=num, config=config)
    if json:
        print_json([filling.to_json() for filling in fillings])
    else:
        _show(fillings, left, right)


def _require_no_text(model: str | None) -> None:
    """Raise `ConfigError` for a text, or the name of its file, in the place of the model."""
    from charlm.storage.runs import names_model

    if model is None or names_model(model):
        return
    if (is_file := os.path.isfile(user_path(model))) or len(model.split()) > 1:
        raise ConfigError(
            f"{model if is_file else reprlib.repr(model)} is no model, and the text around a gap is given in "
            "two parts: what stands before it with --left, and what stands after it with --right"
        )


def _show(fillings: "list[Filling]", left: str, right: str) -> None:
    """Print a table of fillings with their scores, each between its two texts."""
    from rich.table import Table
    from rich.text import Text

    from charlm.cli.ui.console import stdout
    from charlm.cli.ui.visible import for_stdout

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("score", "forward", "backward"):
        table.add_column(name, justify="right")
    table.add_column("text", overflow="fold")
    for filling in fillings:
        text = for_stdout(f"{left}[{filling.text}]{right}".replace("\n", "⏎"))
        scores = (filling.score, filling.forward, filling.backward)
        table.add_row(*(rounded(nats, ".2f") for nats in scores), Text(text))
    stdout().print(table)

"""`charlm sample`."""

import sys
from typing import Annotated

import typer

from charlm.cli.options import JsonOption, unescape
from charlm.config import Unknown


def sample(
    model: Annotated[
        str | None, typer.Argument(help="Model file, run folder or name of a run.", show_default="the newest run")
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="What the text begins with; the model reads it first, and it is part of the output.")
    ] = "",
    temperature: Annotated[
        float,
        typer.Option(help="Softmax temperature: below 1 safer, above 1 wilder, 0 always the likeliest token."),
    ] = 1.0,
    length: Annotated[int, typer.Option(help="Most characters to write after the prefix.")] = 500,
    num: Annotated[int, typer.Option(help="How many texts to write.")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Of the random choices; text k uses seed + k. The same seed writes the same.", show_default="any"
        ),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            help=r"Stop before this text would be written; may be repeated. \n, \r, \t and \\ are understood."
        ),
    ] = None,
    unknown: Annotated[
        Unknown,
        typer.Option(
            help="A prefix character that the model doesn't know: error, skip (leave out) or replace (<unk>)."
        ),
    ] = "error",
    threads: Annotated[int, typer.Option(help="CPU threads; a single text is written fastest with one.")] = 1,
    json: JsonOption = False,
) -> None:
    """Write text with a model, from a prefix or from nothing.

    The text comes as it is made. It ends where the model ends the document, at --length, or at a --stop text.

    Examples:
      [bold]charlm sample --prefix "I couldn't" --temperature 0.7[/bold]
      [bold]charlm sample runs/names --num 10[/bold]
      [bold]charlm sample --prefix ROMEO: --stop '\\n\\n'[/bold]
    """
    import secrets

    import torch

    import charlm
    from charlm.cli.console import print_json, stderr
    from charlm.config import check_range

    check_range("--num", num, 1, 10**9)
    check_range("--threads", threads, 1, 1024)
    if seed is not None:
        check_range("--seed", seed, 0, 2**63 - 1 - num)
    torch.set_num_threads(threads)
    loaded = charlm.load(model)
    if model is None:
        stderr().print(f"using {loaded.path}", markup=False, soft_wrap=True)
    first = secrets.randbelow(2**31) if seed is None else seed
    stops = tuple(unescape(text, "--stop") for text in stop or ())
    settings = {"temperature": temperature, "length": length, "stop": stops, "unknown": unknown}
    one_line = loaded.corpus_config.documents == "line"
    texts = []
    for number in range(num):
        pieces = loaded.generate(prefix, seed=first + number, **settings)
        text = ended = ""
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                ended = end.value
                break
            text += piece
            if not json:
                sys.stdout.write(piece)
                sys.stdout.flush()
        if json:
            texts.append({"text": text, "prefix": prefix, "ended": ended, "seed": first + number})
        else:
            between = "\n" if number < num - 1 and not one_line else ""
            sys.stdout.write(("" if text.endswith("\n") else "\n") + between)
    if json:
        print_json(texts)

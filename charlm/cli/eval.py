"""`charlm eval`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options import (
    DocumentsOption,
    EncodingOption,
    ErrorsOption,
    JsonOption,
    SeparatorOption,
    corpus_options,
)

if TYPE_CHECKING:
    from charlm.evaluate import Evaluation


def evaluate(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] [TEXT...]",
            help="A model file, run folder or name of a run (the newest run if none is given), then the text to score: "
            "files, folders, - or names from `charlm corpora`.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        Literal["train", "valid", "test"] | None,
        typer.Option(help="Score this part of the text only.", show_default="test, or valid where there is no test"),
    ] = None,
    documents: DocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how well a model predicts a text it has not seen.

    Exact: every token is scored once, given all that precedes it in its document. Without TEXT the test split of the
    model's own text is scored.

    Examples:
      [bold]charlm eval[/bold]                         the newest run, on its test split
      [bold]charlm eval runs/novel letter.txt[/bold]   how well that model predicts a letter
      [bold]charlm eval --split valid --json[/bold]
    """
    import charlm
    from charlm.cli.console import Bars, print_json, stderr
    from charlm.errors import ConfigError, CorpusError
    from charlm.runs import names_model
    from charlm.sources import names_text, not_found

    names = list(arguments or [])
    model = names.pop(0) if names and names_model(names[0]) else None
    if model is None and names and not names_text(names[0]):
        raise CorpusError(f"no model and no run is called {names[0]!r}, and there is {not_found(names[0])}")
    settings = corpus_options(documents, separator, None, encoding, errors)
    loaded = charlm.load(model)
    console = stderr()
    if model is None:
        console.print(f"using {loaded.path}", markup=False, soft_wrap=True)
    with Bars(console) as progress:
        if names:
            result = loaded.evaluate(names, split=split, progress=progress, **settings)
            what = " ".join(names) + (f", {split} split" if split else "")
        else:
            if settings:
                raise ConfigError("the options that say how to read a text need a TEXT to read")
            split = split or _held_out(loaded.corpus_config.splits)
            result = loaded.evaluate_own(split, progress=progress)
            what = f"{loaded.checkpoint.corpus.get('name')}, {split} split"
    if json:
        print_json({"model": str(loaded.path), "text": what, "split": split} | result.to_json())
        return
    _show(what, result)


def _held_out(splits: tuple[float, float, float]) -> Literal["valid", "test"]:
    from charlm.errors import ConfigError

    if splits[2] > 0:
        return "test"
    if splits[1] > 0:
        return "valid"
    raise ConfigError("this model kept no text back to be measured on; name a TEXT, or pass --split train")


def _show(what: str, result: "Evaluation") -> None:
    from rich.table import Table

    from charlm.cli.console import stdout, thousands

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("bits per character", f"{result.bits_per_character:.4f}"),
        ("bits per byte", f"{result.bits_per_byte:.4f}"),
        ("nats per character", f"{result.nats_per_character:.4f}"),
        ("nats per token", f"{result.nats_per_token:.4f}"),
        ("perplexity per token", f"{result.perplexity:.3f}"),
        ("nats", f"{result.nats:,.1f}"),
        ("tokens", thousands(result.tokens)),
        ("characters", thousands(result.characters)),
        ("bytes", thousands(result.bytes)),
        ("unknown characters", thousands(result.unknown_characters)),
        ("documents", thousands(result.documents)),
    ):
        table.add_row(name, value)
    console = stdout()
    console.print(what, style="bold", markup=False, soft_wrap=True)
    console.print(table)

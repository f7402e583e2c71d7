"""`charlm eval`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charlm.cli.options.shared import (
    DocumentsOption,
    EncodingOption,
    ErrorsOption,
    JsonOption,
    SeparatorOption,
    corpus_options,
    without_none,
)

if TYPE_CHECKING:
    from charlm.config import SplitName
    from charlm.data.dataset import Dataset
    from charlm.evaluation.baselines import Baseline
    from charlm.evaluation.copying import Copied
    from charlm.evaluation.score import Evaluation
    from charlm.progress import Progress
    from charlm.text_model import TextModel

_LEARNING = "Learning along the way"


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
    dynamic: Annotated[
        bool,
        typer.Option(
            "--dynamic",
            help="Let the model go on learning from what it has scored: a step along the gradient of every 32 tokens, "
            "after they are scored. The model file stays as it is.",
            rich_help_panel=_LEARNING,
        ),
    ] = False,
    dynamic_rate: Annotated[
        float | None,
        typer.Option(
            help="How far --dynamic moves a weight in a step.", show_default="0.001", rich_help_panel=_LEARNING
        ),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache",
            help="Mix in what followed in this document when the hidden state was like the one now.",
            rich_help_panel=_LEARNING,
        ),
    ] = False,
    cache_share: Annotated[
        float | None,
        typer.Option(help="How much --cache counts in the mixture.", show_default="0.05", rich_help_panel=_LEARNING),
    ] = None,
    no_baselines: Annotated[
        bool,
        typer.Option(
            "--no-baselines", help="Leave out what an n-gram model, single tokens, chance, gzip and xz make of it."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Measure how well a model predicts a text it has not seen.

    Exact: every token is scored once, given all that precedes it in its document. Without TEXT the test split of the
    model's own text is scored. Beside the model stand an n-gram model, single tokens, chance, gzip and xz, which know
    its training split and nothing else.

    Examples:
      [bold]charlm eval[/bold]                         the newest run, on its test split
      [bold]charlm eval runs/novel letter.txt[/bold]   how well that model predicts a letter
      [bold]charlm eval --split valid --json[/bold]
      [bold]charlm eval --dynamic[/bold]               the same, learning along the way
    """
    import charlm
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.data.sources import names_text, not_found
    from charlm.errors import ConfigError, CorpusError
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig
    from charlm.storage.runs import names_model

    if dynamic_rate is not None and not dynamic:
        raise ConfigError("--dynamic-rate goes with --dynamic; pass that too")
    if cache_share is not None and not cache:
        raise ConfigError("--cache-share goes with --cache; pass that too")
    learning = DynamicConfig(**without_none(rate=dynamic_rate)) if dynamic else None
    remembering = NeuralCacheConfig(**without_none(share=cache_share)) if cache else None
    names = list(arguments or [])
    model = names.pop(0) if names and names_model(names[0], text_follows=len(names) > 1) else None
    if model is None and names and not names_text(names[0]):
        raise CorpusError(f"no model and no run is called {names[0]!r}, and there is {not_found(names[0])}")
    settings = corpus_options(documents, separator, None, encoding, errors)
    loaded = charlm.load(model)
    console = stderr()
    if model is None:
        console.print(f"using {loaded.path}", markup=False, soft_wrap=True)
    with Bars(console) as progress:
        if names:
            dataset = loaded.read(names, split=split, corpus=settings, progress=progress)
            what = " ".join(names) + (f", {split} split" if split else "")
        else:
            if settings:
                raise ConfigError("the options that say how to read a text need a TEXT to read")
            split = split or loaded.held_out_split()
            dataset = loaded.read(progress=progress)
            what = f"{loaded.checkpoint.corpus.get('name')}, {split} split"
        scored: SplitName = split or "train"
        result = loaded.score(dataset, scored, dynamic=learning, neural_cache=remembering, progress=progress)
        baselines = {} if no_baselines else _baselines(loaded, dataset, scored, None if names else dataset, progress)
        writes = loaded.corpus_config.direction == "forward"
        copying = loaded.copying(dataset, scored, progress=progress) if baselines and writes else None
    if json:
        values: dict[str, Any] = {
            "model": str(loaded.path),
            "text": what,
            "split": split,
            "dynamic": dynamic,
            "cache": cache,
        }
        values |= result.to_json()
        values["baselines"] = {name: baseline.to_json() for name, baseline in baselines.items()}
        if copying is not None:
            values["copying"] = dict(zip(("written", "scored"), (one.to_json() for one in copying), strict=True))
        print_json(values)
        return
    _show(what + ", dynamic" * dynamic + ", with a cache" * cache, result)
    if baselines:
        _compare(result, baselines)
    if copying is not None:
        _show_copying(*copying)


def _baselines(
    loaded: "TextModel", dataset: "Dataset", split: "SplitName", own: "Dataset | None", progress: "Progress"
) -> "dict[str, Baseline]":
    """The baselines; none, and a note, where the model's training split is not at hand, or is what is scored."""
    import logging

    from charlm.errors import CharlmError

    try:
        return loaded.baselines(dataset, split, own=own or loaded.read(progress=progress), progress=progress)
    except CharlmError as error:
        logging.getLogger(__name__).warning("no baselines: %s", str(error).partition(";")[0])
        return {}


def _show(what: str, result: "Evaluation") -> None:
    from rich.table import Table

    from charlm.cli.ui.console import stdout, thousands

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


def _compare(result: "Evaluation", baselines: "dict[str, Baseline]") -> None:
    """The network among the baselines, the best first."""
    from rich.table import Table

    from charlm.cli.ui.console import stdout

    rows = [("this network", result.bits_per_character)]
    for name, baseline in baselines.items():
        shown = name if baseline.order is None else f"n-gram of order {baseline.order}"
        rows.append((shown, baseline.bits_per_character))
    table = Table(box=None, pad_edge=False)
    table.show_header = False
    table.add_column()
    table.add_column(justify="right")
    for shown, bits in sorted(rows, key=lambda row: row[1]):
        table.add_row(shown, f"{bits:.4f}")
    console = stdout()
    console.print()
    console.print("bits per character", style="bold")
    console.print(table)
    if result.bits_per_character > baselines["ngram"].bits_per_character:
        console.print(
            "The n-gram, which does no more than count, predicts this text better than the network, which needs longer "
            "training, or more units.",
            soft_wrap=True,
        )


def _show_copying(written: "Copied", scored: "Copied") -> None:
    """The longest stretch that the model copies, beside that of the text it is scored on."""
    from charlm.cli.ui.console import stdout

    def tell(copied: "Copied") -> str:
        if not copied.stretches:
            return "no stretch of 40 characters or more"
        return f"{copied.share:.1%}, the longest stretch {copied.longest} characters"

    console = stdout()
    console.print()
    console.print("copied from the training text", style="bold")
    console.print(f"of {written.characters:,} characters that the model writes: {tell(written)}", highlight=False)
    console.print(f"of the first {scored.characters:,} of this text: {tell(scored)}", highlight=False)

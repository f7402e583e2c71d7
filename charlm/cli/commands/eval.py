"""`charlm eval`: how well a model predicts a text, compared with simple predictors."""

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlm.cli.options.completion import complete_model_or_text
from charlm.cli.options.shared import (
    JsonOption,
    LabelOption,
    NoLabelsOption,
    ScoredDocumentsOption,
    ScoredEncodingOption,
    ScoredErrorsOption,
    ScoredSourceColumnOption,
    ScoredTargetColumnOption,
    ScoredTextColumnOption,
    SeparatorOption,
    SplitOption,
    corpus_options,
    use_threads,
    with_labels,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from charlm.config import SplitName
    from charlm.data.dataset import Dataset
    from charlm.evaluation.baselines import Baseline
    from charlm.evaluation.copying import Copied
    from charlm.evaluation.score import Evaluation
    from charlm.progress import Progress
    from charlm.sampling.pairs.targets import ExactMatches
    from charlm.text_model import TextModel

_ADAPTATION = "Adaptation while scoring"
_FEW = 3  # texts that the headline names


def evaluate(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] [TEXT...]",
            autocompletion=complete_model_or_text,
            help="A model file, run folder or name of a run (the newest run if none is given), then the text to score: "
            "files, folders, - or names from `charlm corpora`.",
            show_default=False,
        ),
    ] = None,
    split: SplitOption = None,
    documents: ScoredDocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: ScoredEncodingOption = None,
    errors: ScoredErrorsOption = None,
    text_column: ScoredTextColumnOption = None,
    source_column: ScoredSourceColumnOption = None,
    target_column: ScoredTargetColumnOption = None,
    label: LabelOption = None,
    no_labels: NoLabelsOption = False,
    dynamic: Annotated[
        bool,
        typer.Option(
            "--dynamic",
            help="Dynamic evaluation: after every 32 tokens are scored, take a gradient step on them. The model file "
            "doesn't change.",
            rich_help_panel=_ADAPTATION,
        ),
    ] = False,
    dynamic_rate: Annotated[
        float | None,
        typer.Option(help="Step size of --dynamic.", show_default="0.001", rich_help_panel=_ADAPTATION),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache",
            help="Neural cache: mix in the tokens that followed similar hidden states earlier in the document.",
            rich_help_panel=_ADAPTATION,
        ),
    ] = False,
    cache_share: Annotated[
        float | None,
        typer.Option(help="Weight of the cache in the mixture.", show_default="0.05", rich_help_panel=_ADAPTATION),
    ] = None,
    no_baselines: Annotated[
        bool,
        typer.Option("--no-baselines", help="Leave out the comparison with simple predictors."),
    ] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="set by PyTorch")] = None,
    json: JsonOption = False,
) -> None:
    """Measure how well a model predicts a text it has not seen.

    Every token is scored exactly once, given everything before it in its document and the document's labels, if the
    model knows labels. Without TEXT, the test split of the model's own text is scored. For comparison the same text is
    scored by an n-gram model, a unigram model, a uniform distribution, gzip and xz, which are fitted only to the
    model's training split. Of pairs only the targets are scored, each given its source, without that comparison; up to
    500 targets are also written, to count those that are exact.

    Examples:
      [bold]charlm eval[/bold]                         the newest run, on its test split
      [bold]charlm eval runs/novel letter.txt[/bold]   another model, on another text
      [bold]charlm eval --split valid --json[/bold]
      [bold]charlm eval --dynamic[/bold]               with dynamic evaluation
    """
    import charlm
    from charlm.cli.charts.scores import headline, show_bars
    from charlm.cli.options.reader import require_model_first
    from charlm.cli.ui.console import Bars, print_json, stderr, stdout
    from charlm.data.inputs.mistakes import looks_like
    from charlm.data.sources import names_text, not_found
    from charlm.errors import ConfigError, CorpusError
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig
    from charlm.evaluation.verdict import verdict
    from charlm.storage.runs import names_model, nearest_model

    if dynamic_rate is not None and not dynamic:
        raise ConfigError("--dynamic-rate needs --dynamic; pass both")
    if cache_share is not None and not cache:
        raise ConfigError("--cache-share needs --cache; pass both")
    dynamic_config = DynamicConfig(**without_none(rate=dynamic_rate)) if dynamic else None
    cache_config = NeuralCacheConfig(**without_none(share=cache_share)) if cache else None
    if threads is not None:
        use_threads(threads)
    names = list(arguments or [])
    require_model_first(names, "charlm eval")
    model = names.pop(0) if names and names_model(names[0], text_follows=len(names) > 1) else None
    if model is None and names and not names_text(names[0]):
        near = None if looks_like(names[0]) else nearest_model(names[0])
        hint = not_found(names[0]) if near is None else f"no text of that name; did you mean the model {near}?"
        raise CorpusError(f"there is no model or run {names[0]!r}, and {hint}")
    settings = corpus_options(
        documents,
        separator,
        None,
        encoding,
        errors,
        text_column=text_column,
        source_column=source_column,
        target_column=target_column,
    )
    loaded = with_labels(charlm.load(model), label, no_labels=no_labels)
    console = stderr()
    if model is None:
        console.print(f"using {loaded.path}", markup=False, soft_wrap=True)
    elif not names and not loaded.path.is_relative_to(model) and names_text(model):
        console.print(
            f"note: {model} is the name of both a run and a text, and was taken as the run; to score a model on the "
            f"text, use: charlm eval MODEL {shlex.quote(model)}",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    with Bars(console) as progress:
        if names:
            dataset = loaded.read(names, split=split, corpus=settings, progress=progress)
            name = " ".join(names)
            what = name + (f", {split} split" if split else "")
        else:
            if settings:
                raise ConfigError(
                    "--documents, --separator, --encoding, --errors and the columns of a table apply only when a TEXT "
                    "is given; add a TEXT"
                )
            split = split or loaded.held_out_split()
            dataset = loaded.read(split=split, progress=progress)
            trained_on = loaded.checkpoint.corpus or dataset.corpus
            name = trained_on.name
            what = f"{name}, {split} split"
        scored: SplitName = split or "train"
        result = loaded.score(dataset, scored, dynamic=dynamic_config, neural_cache=cache_config, progress=progress)
        is_pairs = loaded.corpus_config.is_pairs
        matches = loaded.exact_matches(dataset, scored) if is_pairs and result.tokens else None
        baselines = (
            {}
            if no_baselines or is_pairs
            else _baselines(loaded, dataset, scored, None if names else dataset, progress)
        )
        writes = loaded.corpus_config.direction == "forward"
        copying = loaded.copying(dataset, scored, progress=progress) if baselines and writes else None
    facts = loaded.checkpoint.training if not names and split == "test" else None
    sentences = list(
        verdict(
            result,
            baselines,
            is_own=not names,
            is_sorted=not names and split != "train" and dataset.corpus.looks_sorted,
            validation=None if facts is None else facts.validation_nats_per_token,
            copied=0.0 if copying is None else copying[1].share,
        )
    )
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
        if matches is not None:
            values["exact_matches"] = matches.to_json()
        if copying is not None:
            values["copying"] = dict(zip(("written", "scored"), (one.to_json() for one in copying), strict=True))
        print_json(values | {"verdict": sentences})
        return
    adaptations = ["dynamic evaluation"] * dynamic + ["neural cache"] * cache + ["no labels"] * no_labels
    adaptations += label or []
    if len(names) > _FEW:
        name = f"{len(names)} texts"
    elif name == "-":
        name = "standard input"
    scored_text = f"the {split} split of {name}" if split else name
    line = headline(scored_text, result.characters, result.bits_per_character, baselines, adaptations=adaptations)
    stdout().print(line, style="bold", markup=False)
    if baselines:
        show_bars(result.bits_per_character, baselines)
    _show(result)
    if matches is not None:
        _show_matches(matches, result)
    if sentences:
        stdout().print()
    for sentence in sentences:
        stdout().print(sentence, markup=False)
    if copying is not None:
        _show_copying(*copying)


def _baselines(
    loaded: "TextModel", dataset: "Dataset", split: "SplitName", own: "Dataset | None", progress: "Progress"
) -> "dict[str, Baseline]":
    """The baselines; none, and a note, if the training split isn't available or is the text that is scored."""
    import logging

    from charlm.errors import CharlmError

    try:
        return loaded.baselines(dataset, split, own=own or loaded.read(progress=progress), progress=progress)
    except CharlmError as error:
        logging.getLogger(__name__).warning("no baselines: %s", str(error).partition(";")[0])
        return {}


def _show_matches(matches: "ExactMatches", result: "Evaluation") -> None:
    """How many targets are written exactly."""
    from charlm.cli.ui.console import stdout, thousands

    sample = "" if matches.pairs == result.documents else f", a sample of {thousands(result.documents)}"
    console = stdout()
    console.print()
    console.print("all figures are those of the targets, each given its source", highlight=False)
    console.print(
        f"exact matches: {matches.share:.1%} of {thousands(matches.pairs)} targets{sample}, with the likeliest token "
        "at each step (--temperature 0)",
        highlight=False,
        soft_wrap=True,
    )


def _show(result: "Evaluation") -> None:
    """A table of all figures."""
    from rich.table import Table

    from charlm.cli.charts.numbers import perplexity_of
    from charlm.cli.ui.console import stdout, thousands

    per_word = result.perplexity_per_word
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("bits per character", f"{result.bits_per_character:.4f}"),
        ("bits per byte", f"{result.bits_per_byte:.4f}"),
        ("nats per character", f"{result.nats_per_character:.4f}"),
        ("nats per token", f"{result.nats_per_token:.4f}"),
        ("perplexity per token", perplexity_of(result.perplexity, 3)),
        ("perplexity per word", "" if per_word is None else perplexity_of(per_word, 2)),
        *_spelling(result),
        ("nats", f"{result.nats:,.1f}"),
        ("tokens", thousands(result.tokens)),
        ("characters", thousands(result.characters)),
        ("words", "" if result.words is None else thousands(result.words)),
        ("bytes", thousands(result.bytes)),
        ("unknown characters", thousands(result.unknown_characters)),
        ("documents", thousands(result.documents)),
    ):
        table.add_row(name, value)
    console = stdout()
    console.print()
    console.print(table)


def _spelling(result: "Evaluation") -> "Iterator[tuple[str, str]]":
    """What spelling the words outside a vocabulary of words costs; nothing without such words."""
    from charlm.cli.charts.numbers import perplexity_of
    from charlm.cli.ui.console import thousands

    if result.spelled_words:
        if result.perplexity_with_unk is not None:
            yield "perplexity per word, as <unk>", perplexity_of(result.perplexity_with_unk, 2)
        share = 100 * result.spelling_nats / result.nats
        yield "words spelled", f"{thousands(result.spelled_words)} ({share:.1f}% of the nats)"


def _show_copying(written: "Copied", scored: "Copied") -> None:
    """How much generated text is copied from the training text, and how much of the scored text."""
    from charlm.cli.ui.console import stdout

    def describe(copied: "Copied") -> str:
        if not copied.passages:
            return "no passage of 40 characters or more"
        return f"{copied.share:.1%}, longest passage {copied.longest} characters"

    console = stdout()
    console.print()
    console.print("copied from the training text", style="bold")
    console.print(f"{written.characters:,} generated characters: {describe(written)}", highlight=False)
    console.print(f"first {scored.characters:,} characters of this text: {describe(scored)}", highlight=False)

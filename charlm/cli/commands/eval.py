"""`charlm eval`: how well a model predicts a text, compared with simple predictors."""

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlm.cli.options.corpus import (
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
    with_labels,
)
from charlm.cli.options.models import load_model, models_and_text
from charlm.cli.options.shared import JsonOption, OwnThreadsOption, use_threads, without_none
from charlm.cli.training.processes import ScoringProcessesOption, score_in_processes

if TYPE_CHECKING:
    from charlm.config import SplitName
    from charlm.data.dataset import Dataset
    from charlm.evaluation.baselines import Baseline
    from charlm.progress import Progress
    from charlm.text_model import TextModel

_ADAPTATION = "Adaptation while scoring"
_FEW = 3  # texts that the headline names


def evaluate(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        models_and_text(
            "[MODEL] [TEXT...]", "A model file, run folder or name of a run (the newest run if none is given)"
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
        typer.Option(
            help="Step size of --dynamic.", show_default="0.001; 0.0002 with a match", rich_help_panel=_ADAPTATION
        ),
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
    threads: OwnThreadsOption = None,
    processes: ScoringProcessesOption = None,
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
    from charlm.cli.charts.scores import headline, show_bars, show_copying, show_figures, show_matches
    from charlm.cli.ui.console import Bars, print_json, stderr, stdout
    from charlm.errors import ConfigError
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig
    from charlm.evaluation.verdict import verdict
    from charlm.processes.distributed import joined

    if dynamic_rate is not None and not dynamic:
        raise ConfigError("--dynamic-rate needs --dynamic; pass both")
    if cache_share is not None and not cache:
        raise ConfigError("--cache-share needs --cache; pass both")
    dynamic_config = DynamicConfig(**without_none(rate=dynamic_rate)) if dynamic else None
    cache_config = NeuralCacheConfig(**without_none(share=cache_share)) if cache else None
    use_threads(threads)
    if dynamic and processes is not None and processes > 1:
        raise ConfigError("--dynamic learns from each part of a text before it reads the next; leave out --processes")
    if score_in_processes(context, processes, arguments or [], threads):
        return
    model, names = _model_and_texts(list(arguments or []))
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
    loaded = with_labels(load_model(model), label, no_labels=no_labels)
    if model is not None and not names:
        _note_if_a_text(model, loaded)
    if settings and not names:
        raise ConfigError(
            "--documents, --separator, --encoding, --errors and --text-column apply only when a TEXT is given; "
            "add a TEXT"
        )
    if not names:
        split = split or loaded.held_out_split()
    scored: SplitName = split or "train"
    with Bars(stderr()) as progress:
        with joined() as together:
            with together.one_per_machine_first():
                dataset = loaded.read(names or None, split=split, corpus=settings, progress=progress)
            result = loaded.score(
                dataset,
                scored,
                dynamic=dynamic_config,
                neural_cache=cache_config,
                progress=progress,
                processes=together,
            )
        if not together.is_first:
            return
        name = " ".join(names) if names else (loaded.checkpoint.corpus or dataset.corpus).name
        what = name + (f", {split} split" if split else "")
        is_pairs = loaded.corpus_config.is_pairs
        matches = loaded.exact_matches(dataset, scored) if is_pairs else None
        compares = not (no_baselines or is_pairs)
        baselines = _baselines(loaded, dataset, scored, None if names else dataset, progress) if compares else {}
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
    show_figures(result)
    if matches is not None:
        show_matches(matches, result)
    if sentences:
        stdout().print()
    for sentence in sentences:
        stdout().print(sentence, markup=False)
    if copying is not None:
        show_copying(*copying)


def _model_and_texts(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The model, if the first argument names one, and the texts; raises `CorpusError` if it names neither."""
    from charlm.cli.options.reader import require_model_first
    from charlm.data.inputs.mistakes import looks_like
    from charlm.data.sources import names_text, not_found
    from charlm.errors import CorpusError
    from charlm.storage.runs import names_model, nearest_model

    require_model_first(arguments, "charlm eval")
    if not arguments:
        return None, []
    first, *others = arguments
    if names_model(first, text_follows=bool(others)):
        return first, others
    if not names_text(first):
        near = None if looks_like(first) else nearest_model(first)
        hint = not_found(first) if near is None else f"no text of that name; did you mean the model {near}?"
        raise CorpusError(f"there is no model or run {first!r}, and {hint}")
    return None, arguments


def _note_if_a_text(model: str, loaded: "TextModel") -> None:
    """Print a note if the name of a run is that of a text, too, which may be what was meant."""
    from charlm.cli.ui.console import stderr
    from charlm.data.sources import names_text

    if not loaded.path.is_relative_to(model) and names_text(model):
        stderr().print(
            f"note: {model} is the name of both a run and a text, and was taken as the run; to score a model on the "
            f"text, use: charlm eval MODEL {shlex.quote(model)}",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


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

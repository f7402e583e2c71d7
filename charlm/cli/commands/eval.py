"""`charlm eval`: how well a model predicts a text, compared with simple predictors."""

import shlex
from typing import TYPE_CHECKING, Annotated

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
    options_of_texts,
    with_labels,
)
from charlm.cli.options.models import load_model, models_and_text
from charlm.cli.options.scoring import (
    CacheOption,
    CacheShareOption,
    DynamicOption,
    DynamicRateOption,
    NoBaselinesOption,
    adaptation,
)
from charlm.cli.options.shared import JsonOption, OwnThreadsOption, use_threads
from charlm.cli.training.processes import ScoringProcessesOption, score_in_processes

if TYPE_CHECKING:
    from charlm.text_model import TextModel


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
    dynamic: DynamicOption = False,
    dynamic_rate: DynamicRateOption = None,
    cache: CacheOption = False,
    cache_share: CacheShareOption = None,
    no_baselines: NoBaselinesOption = False,
    threads: OwnThreadsOption = None,
    processes: ScoringProcessesOption = None,
    json: JsonOption = False,
) -> None:
    """Measure how well a model predicts a text it has not seen.

    Every token is scored exactly once, given everything before it in its document and the document's labels, if the
    model knows labels. Without TEXT, the test split of the model's own text is scored. For comparison the same text is
    scored by an n-gram model, a unigram model, a uniform distribution, gzip and xz, which are fitted only to the
    model's training split.

    With a model of pairs only the targets are scored, each given its source, without that comparison. charlm also
    writes up to 500 targets and counts those that are exactly right.

    Examples:
      [bold]charlm eval[/bold]                         the newest run, on its test split
      [bold]charlm eval runs/novel letter.txt[/bold]   another model, on another text
      [bold]charlm eval --split valid --json[/bold]
      [bold]charlm eval --dynamic[/bold]               with dynamic evaluation
    """
    from charlm.cli.reports.eval import show_evaluation
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.errors import ConfigError
    from charlm.text_model.measurement import measure

    dynamic_config, cache_config = adaptation(
        dynamic=dynamic, dynamic_rate=dynamic_rate, cache=cache, cache_share=cache_share
    )
    use_threads(threads)
    if dynamic and processes is not None and processes > 1:
        raise ConfigError("--dynamic learns from each part of a text before it reads the next; leave out --processes")
    if score_in_processes(context, processes, arguments or [], threads):
        return
    model, names = _model_and_texts(list(arguments or []))
    settings = options_of_texts(context, names)
    loaded = with_labels(load_model(model), label, no_labels=no_labels)
    if model is not None and not names:
        _note_if_a_text(model, loaded)
    with Bars(stderr()) as progress:
        measured = measure(
            loaded,
            names or None,
            split=split,
            corpus=settings,
            dynamic=dynamic_config,
            neural_cache=cache_config,
            with_baselines=not no_baselines,
            progress=progress,
        )
    if measured is None:  # another process has the figures
        return
    if json:
        described = {
            "model": str(loaded.path),
            "text": measured.text,
            "split": measured.split,
            "dynamic": dynamic,
            "cache": cache,
        }
        print_json(described | measured.to_json())
        return
    adaptations = ["dynamic evaluation"] * dynamic + ["neural cache"] * cache + ["no labels"] * no_labels
    show_evaluation(measured, names, adaptations=adaptations + (label or []))


def _model_and_texts(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The model, if the first argument names one, and the texts; raises `CorpusError` if it names neither."""
    from charlm.cli.options.models import require_model_first
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
    from charlm.cli.ui.console import note
    from charlm.data.sources import names_text

    if not loaded.path.is_relative_to(model) and names_text(model):
        note(
            f"{model} is the name of both a run and a text, and was taken as the run; to score a model on the text, "
            f"use: charlm eval MODEL {shlex.quote(model)}"
        )

"""`charlm eval`: how well a model predicts a text, compared with simple predictors."""

import shlex
from dataclasses import dataclass
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
    from charlm.config import CorpusOptions, SplitName
    from charlm.data.dataset import Dataset
    from charlm.evaluation.baselines import Baseline
    from charlm.evaluation.copying import Copied
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig
    from charlm.evaluation.score import Evaluation
    from charlm.progress import Progress
    from charlm.sampling.pairs.targets import ExactMatches
    from charlm.text_model import TextModel

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
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.errors import ConfigError

    dynamic_config, cache_config = adaptation(
        dynamic=dynamic, dynamic_rate=dynamic_rate, cache=cache, cache_share=cache_share
    )
    use_threads(threads)
    if dynamic and processes is not None and processes > 1:
        raise ConfigError("--dynamic learns from each part of a text before it reads the next; leave out --processes")
    if score_in_processes(context, processes, arguments or [], threads):
        return
    model, names = _model_and_texts(list(arguments or []))
    settings = corpus_options(context)
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
    with Bars(stderr()) as progress:
        measured = _measure(
            loaded,
            names,
            split,
            settings,
            dynamic=dynamic_config,
            neural_cache=cache_config,
            compares=not no_baselines,
            progress=progress,
        )
    if measured is None:  # another process has the figures
        return
    if json:
        described = {
            "model": str(loaded.path),
            "text": measured.text,
            "split": split,
            "dynamic": dynamic,
            "cache": cache,
        }
        print_json(described | measured.to_json())
        return
    adaptations = ["dynamic evaluation"] * dynamic + ["neural cache"] * cache + ["no labels"] * no_labels
    _show(measured, names, split, adaptations + (label or []))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measured:
    """The figures of a model on a text."""

    name: str
    """The name of the text, or the names of several."""
    text: str
    """That with the name of the split."""
    result: "Evaluation"
    baselines: "dict[str, Baseline]"
    matches: "ExactMatches | None"
    copying: "tuple[Copied, Copied] | None"
    """How much the model copies when it writes, and how much of the text is copied; None if not measured."""
    verdict: list[str]

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        values = self.result.to_json()
        values["baselines"] = {name: baseline.to_json() for name, baseline in self.baselines.items()}
        if self.matches is not None:
            values["exact_matches"] = self.matches.to_json()
        if self.copying is not None:
            values["copying"] = dict(zip(("written", "scored"), (one.to_json() for one in self.copying), strict=True))
        return values | {"verdict": self.verdict}


def _measure(
    loaded: "TextModel",
    names: list[str],
    split: "SplitName | None",
    settings: "CorpusOptions",
    *,
    dynamic: "DynamicConfig | None",
    neural_cache: "NeuralCacheConfig | None",
    compares: bool,
    progress: "Progress",
) -> _Measured | None:
    """Score a text, alone or together with other processes; None in all of these but the first.

    Args:
        loaded: the model.
        names: the texts; none are the model's own text.
        split: the split to score; None is all of the text.
        settings: how to read the texts.
        dynamic: the settings of dynamic evaluation.
        neural_cache: the settings of the neural cache.
        compares: whether to score simple predictors, too.
        progress: called with how much is read and scored.
    """
    from charlm.evaluation.verdict import verdict
    from charlm.processes.distributed import joined

    scored: SplitName = split or "train"
    with joined() as together:
        with together.one_per_machine_first():
            dataset = loaded.read(names or None, split=split, corpus=settings, progress=progress)
        result = loaded.score(
            dataset, scored, dynamic=dynamic, neural_cache=neural_cache, progress=progress, processes=together
        )
    if not together.is_first:
        return None
    config = loaded.corpus_config
    matches = loaded.exact_matches(dataset, scored) if config.is_pairs else None
    baselines: dict[str, Baseline] = {}
    if compares and not config.is_pairs:
        baselines = _baselines(loaded, dataset, scored, None if names else dataset, progress)
    writes = config.direction == "forward"
    copying = loaded.copying(dataset, scored, progress=progress) if baselines and writes else None
    facts = loaded.checkpoint.training if not names and split == "test" else None
    name = " ".join(names) if names else (loaded.checkpoint.corpus or dataset.corpus).name
    return _Measured(
        name=name,
        text=name + (f", {split} split" if split else ""),
        result=result,
        baselines=baselines,
        matches=matches,
        copying=copying,
        verdict=[
            *verdict(
                result,
                baselines,
                is_own=not names,
                is_sorted=not names and split != "train" and dataset.corpus.looks_sorted,
                validation=None if facts is None else facts.validation_nats_per_token,
                copied=0.0 if copying is None else copying[1].share,
            )
        ],
    )


def _show(measured: _Measured, names: list[str], split: "SplitName | None", adaptations: list[str]) -> None:
    """Print the figures of a text, which the user gave by `names`, with charts."""
    from charlm.cli.charts.scores import headline, show_bars, show_copying, show_figures, show_matches
    from charlm.cli.ui.console import stdout

    name, result = measured.name, measured.result
    if len(names) > _FEW:
        name = f"{len(names)} texts"
    elif name == "-":
        name = "standard input"
    text = f"the {split} split of {name}" if split else name
    bits = result.bits_per_character
    line = headline(text, result.characters, bits, measured.baselines, adaptations=adaptations)
    stdout().print(line, style="bold")
    if measured.baselines:
        show_bars(bits, measured.baselines)
    show_figures(result)
    if measured.matches is not None:
        show_matches(measured.matches, result)
    if measured.verdict:
        stdout().print()
    for sentence in measured.verdict:
        stdout().print(sentence)
    if measured.copying is not None:
        show_copying(*measured.copying)


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

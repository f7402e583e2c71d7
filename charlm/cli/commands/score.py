"""`charlm score`: the score of each document, line, sentence or word of a text, and the model it is likeliest from."""

import os
from collections import deque
from typing import TYPE_CHECKING, Annotated, Literal

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
    corpus_options,
    with_labels,
)
from charlm.cli.options.models import models_and_text
from charlm.cli.options.output import CsvOption, JsonLinesOption, output_form
from charlm.cli.options.scoring import (
    AloneOption,
    ByOption,
    ModelsOption,
    PriorOption,
    SortOption,
    TopOption,
    TruthOption,
)
from charlm.cli.options.shared import OwnThreadsOption, use_threads
from charlm.cli.training.processes import ScoringProcessesOption, score_in_processes
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from charlm.cli.reports.score import Layout
    from charlm.config import CorpusConfig, CorpusOptions
    from charlm.evaluation.spans.choice import Calibration, Choice
    from charlm.evaluation.spans.scores import SpanKind, SpanScore
    from charlm.processes.processes import Processes
    from charlm.text_model import TextModel


def score(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        models_and_text(
            "[MODEL...] [TEXT...]", "Model files, run folders or names of runs (the newest run if none is given)"
        ),
    ] = None,
    by: ByOption = None,
    alone: AloneOption = False,
    sort: SortOption = None,
    top: TopOption = None,
    models: ModelsOption = None,
    prior: PriorOption = None,
    truth: TruthOption = None,
    documents: ScoredDocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: ScoredEncodingOption = None,
    errors: ScoredErrorsOption = None,
    text_column: ScoredTextColumnOption = None,
    source_column: ScoredSourceColumnOption = None,
    target_column: ScoredTargetColumnOption = None,
    label: LabelOption = None,
    no_labels: NoLabelsOption = False,
    threads: OwnThreadsOption = None,
    processes: ScoringProcessesOption = None,
    jsonl: JsonLinesOption = False,
    csv: CsvOption = False,
) -> None:
    """Score each document, line, sentence or word of a text, and say which of several models it is likeliest from.

    Each is scored given everything before it in its document, unless --alone is given. Results appear as they are
    computed, unless they are sorted. With - as TEXT, standard input of any length is read in bounded memory.

    The scores add up to that of `charlm eval`. Every character counts once: a line and a sentence include the white
    space after them, a word the white space before it, and a token of several characters counts where it ends. The
    score of a document includes its end; by line, sentence or word the ends of documents have a figure of their own. An
    empty document has a number, and 0 bits. Of pairs the targets are scored, each given its source.

    With several models, p is the probability, by Bayes' theorem, that the text is from this model, if it is from one of
    them.

    Examples:
      [bold]charlm score novel letter.txt --top 20[/bold]              its most unusual lines
      [bold]charlm score novel letter.txt --by word --sort bits[/bold]
      [bold]cat app.log | charlm score logs - --jsonl[/bold]
      [bold]charlm score austen melville page.txt --by sentence[/bold]
    """
    from charlm.cli.options.models import given_models, parse_prior, parse_truth, require_text
    from charlm.cli.reports.score import counted, ranked, show_calibration, show_choices, show_spans
    from charlm.cli.ui.console import Bars, stderr
    from charlm.config import check_range
    from charlm.evaluation.spans.choice import choose
    from charlm.evaluation.spans.scores import score_with_all
    from charlm.processes.distributed import joined
    from charlm.progress import silent
    from charlm.storage.checkpoint import weights_sha256

    form = output_form(jsonl=jsonl, csv=csv)
    if top is not None:
        check_range("--top", top, 1, 1_000_000_000)
        sort = sort or "bits-per-char"
    use_threads(threads)
    if score_in_processes(context, processes, arguments or [], threads):
        return
    named, texts = given_models(list(arguments or []), models or [])
    if len(named) < 2 and (prior or truth):
        raise ConfigError("--prior and --truth need several models; name them before the TEXT or with --models")
    shares = None if prior is None else parse_prior(prior, [*named])
    known = parse_truth(truth or [], [*named])
    if not known:
        require_text(texts)
    loaded = [with_labels(model, label, no_labels=no_labels) for model in _load([*named.values()])]
    settings = corpus_options(context)
    config = _how_to_read(loaded, settings, alone=alone)
    layout = _layout(config, texts, form=form, by=by, models=[*named])
    kind = layout.by
    networks = [(model.model, model.tokenizer) for model in loaded]
    with Bars(stderr()) as progress, joined() as together:

        def scores(text: list[str], shared_by: "Processes | None" = None) -> "list[Iterator[SpanScore]]":
            parts = loaded[0].stream(text, corpus=settings, progress=progress if sort else silent)
            return score_with_all(networks, parts, kind, alone=alone, processes=shared_by)

        if together.size > 1:
            together.require_same({"model": [weights_sha256(model.model) for model in loaded]})
        if not together.is_first:
            if texts:
                deque(zip(*scores(texts, together), strict=True), maxlen=0)
            return
        if len(loaded) == 1:
            spans = counted(scores(texts, together)[0], kind)
            show_spans(ranked(spans, sort, top, lambda span: span), layout)
            return
        found, calibration = _calibrate(known, scores, shares)
        every = scores(texts, together) if texts else [*zip(*(choice.scores for choice in found), strict=True)]
        choices = choose(every, prior=shares, temperature=1.0 if calibration is None else calibration.temperature)
        show_choices(ranked(choices, sort, top, lambda choice: choice.span), layout)
    if calibration is not None:
        show_calibration(calibration, [*named], kind)


def _load(paths: "list[Path]") -> "list[TextModel]":
    """The models, or the newest without any; raises `ConfigError` for models that can't score the same text."""
    import charlm
    from charlm.cli.options.models import load_model
    from charlm.sampling.pairs.source import require_models_alike
    from charlm.text_model import require_forward

    loaded = [charlm.load(path) for path in paths] or [load_model(None)]
    for model in loaded:
        require_forward(model, "charlm score", pairs=True)
    require_models_alike({model.path: model.corpus_config for model in loaded})
    return loaded


def _how_to_read(models: "list[TextModel]", settings: "CorpusOptions", *, alone: bool) -> "CorpusConfig":
    """How the text is read; raises `ConfigError` if some of the models can't read it so."""
    from charlm.sampling.pairs.source import require_no_pairs, require_pairs_alike

    config = models[0].corpus_config.changed(settings)
    for model in models:
        require_pairs_alike(model.corpus_config, config)
    if alone:
        require_no_pairs(config, "--alone", "leave it out")
    return config


def _layout(
    config: "CorpusConfig",
    texts: list[str],
    *,
    form: Literal["table", "jsonl", "csv"],
    by: "SpanKind | None",
    models: list[str],
) -> "Layout":
    """How the scores are shown; without `by`, those of lines if the text is one document, or else of documents."""
    from charlm.cli.reports.score import Layout

    is_file = config.documents == "file"
    return Layout(
        form=form,
        by=by or ("line" if is_file else "document"),
        models=tuple(models),
        names_sources=is_file and (len(texts) != 1 or os.path.isdir(texts[0])),
        numbers_documents=not is_file,
        labels=config.label_names,
    )


def _calibrate(
    known: list[tuple[int, str]],
    scores: "Callable[[list[str]], list[Iterator[SpanScore]]]",
    prior: list[float] | None,
) -> "tuple[list[Choice], Calibration | None]":
    """The choices for texts whose model is known, and the calibration on them; None if there are no such texts.

    Args:
        known: each text with the index of its model.
        scores: gives the scores of a text by each model.
        prior: the probability of each model before reading; None is uniform.
    """
    from charlm.evaluation.spans.choice import calibrate, choose

    if not known:
        return [], None
    found = [(choice, index) for index, text in known for choice in choose(scores([text]), prior=prior)]
    found = [(choice, index) for choice, index in found if choice.span.characters]
    calibration = calibrate((choice for choice, _ in found), (index for _, index in found), prior=prior)
    return [choice for choice, _ in found], calibration

"""`charlm classify`: which label each document of a text has."""

from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.corpus import (
    ScoredDocumentsOption,
    ScoredEncodingOption,
    ScoredErrorsOption,
    ScoredTextColumnOption,
    SeparatorOption,
    corpus_options,
)
from charlm.cli.options.models import models_and_text
from charlm.cli.options.output import CsvOption, JsonLinesOption, output_form
from charlm.cli.options.shared import OwnThreadsOption, use_threads
from charlm.errors import CharlmError, ConfigError

if TYPE_CHECKING:
    from charlm.config import CorpusOptions
    from charlm.progress import Progress
    from charlm.text_model import TextModel


def classify(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        models_and_text(
            "[MODEL] TEXT...",
            "A model that was trained with labels: its file, run folder or name of a run (the newest run if none is "
            "given)",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The label to find.", show_default="the only label of the model"),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE=P,...",
            help="Probability of each value before reading, such as 1=0.2,5=0.8, or uniform.",
            show_default="the share of each in the model's text",
        ),
    ] = None,
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibrate/--no-calibrate",
            help="Calibrate the probabilities on the model's validation split.",
        ),
    ] = True,
    documents: ScoredDocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: ScoredEncodingOption = None,
    errors: ScoredErrorsOption = None,
    text_column: ScoredTextColumnOption = None,
    threads: OwnThreadsOption = None,
    jsonl: JsonLinesOption = False,
    csv: CsvOption = False,
) -> None:
    """Say which label each document of a text has, with a model trained on labelled texts.

    The model scores every document once for each value of the label, and Bayes' theorem turns the scores into
    probabilities. They are calibrated on the validation split of the model's own text, if it is still there. If TEXT
    has the true labels, the accuracy and a confusion matrix are printed, too. An empty document keeps its number, and
    its probabilities are those before reading.

    Examples:
      [bold]charlm classify reviews new.csv[/bold]
      [bold]charlm classify authors page.txt --documents paragraph[/bold]
      [bold]echo "What a film!" | charlm classify reviews - --documents line --jsonl[/bold]
    """
    from charlm.cli.options.models import leading_models, load_model, require_model_first, require_text
    from charlm.cli.reports.classify import counted, print_classes, show_confusion
    from charlm.cli.ui.console import Bars, stderr
    from charlm.evaluation.spans.classification import Confusion
    from charlm.model.additions.label_embedding import find_label
    from charlm.text_model import require_forward

    form = output_form(jsonl=jsonl, csv=csv)
    use_threads(threads)
    names = list(arguments or [])
    require_model_first(names, "charlm classify")
    models, texts = leading_models(names, least=min(1, len(names) - 1))
    if len(models) > 1:
        raise ConfigError(f"{len(models)} models are given; one model finds a label (`charlm score` compares models)")
    require_text(texts)
    loaded = load_model(models[0] if models else None)
    require_forward(loaded, "charlm classify", pairs=True)
    column = find_label(label, loaded.model.config.labels)
    shares = _prior(prior, [*column.values])
    settings = corpus_options(context)
    with Bars(stderr()) as progress:
        temperature = _temperature(loaded, column.name, shares, settings, progress) if calibrated else 1.0
        found = loaded.classify(texts, label=column.name, prior=shares, temperature=temperature, corpus=settings)
        confusion = Confusion(column.values)
        print_classes(counted(found, confusion), form)
    if confusion.documents:
        show_confusion(confusion, column)


def _prior(text: str | None, values: list[str]) -> list[float] | None:
    """The probability of each value before reading; None is that of the model's text."""
    from charlm.cli.options.models import parse_prior

    if text is None:
        return None
    return [1 / len(values)] * len(values) if text == "uniform" else parse_prior(text, values, "value")


def _temperature(
    loaded: "TextModel", label: str, prior: list[float] | None, settings: "CorpusOptions", progress: "Progress"
) -> float:
    """The calibrated temperature; 1, and a note, if the model's own text can't be read."""
    import logging

    try:
        return loaded.calibrate_labels(label, prior=prior, corpus=settings, progress=progress).temperature
    except CharlmError as error:
        logging.getLogger(__name__).warning("not calibrated: %s", str(error).partition(";")[0])
        return 1.0

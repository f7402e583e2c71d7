"""`charlm compare`: several models on the same text."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charlm.cli.options.corpus import (
    ScoredDocumentsOption,
    ScoredEncodingOption,
    ScoredErrorsOption,
    SeparatorOption,
    SplitOption,
    corpus_options,
)
from charlm.cli.options.models import leading_models, models_and_text
from charlm.cli.options.output import OpenOption, OverwriteOption, check_open, output_path, write_page
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.config import CorpusOptions, SplitName
    from charlm.evaluation.comparison import Comparison
    from charlm.text_model import TextModel


def compare(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        models_and_text("MODEL MODEL... [TEXT...]", "Two or more model files, run folders or names of runs"),
    ] = None,
    split: SplitOption = None,
    documents: ScoredDocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: ScoredEncodingOption = None,
    errors: ScoredErrorsOption = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Also write a self-contained HTML page to this file: the text, coloured by which of two models "
            "predicts it better.",
        ),
    ] = None,
    open_page: OpenOption = False,
    overwrite: OverwriteOption = False,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Compare models on a text that none of them has seen.

    Every character is scored by each model, given everything before it in its document. Without TEXT, the test split of
    the first model's own text is scored. A 95% confidence interval says whether a difference would hold on other texts
    of the same kind and with other seeds. Its part for other texts is found by drawing blocks of the text at random
    (block bootstrap), since neighbouring characters depend on each other. Its part for other seeds assumes that a seed
    changes the loss by 0.2% (standard deviation).

    Examples:
      [bold]charlm compare runs/lstm runs/gru[/bold]
      [bold]charlm compare novel novel-2 novel-3 letter.txt[/bold]
      [bold]charlm compare runs/lstm runs/gru --html difference.html[/bold]
    """
    import charlm
    from charlm.analysis.html.comparison_page import comparison_page
    from charlm.cli.ui.console import Bars, stderr
    from charlm.evaluation.comparison import compare as compare_networks

    check_open(open_page, page)
    use_threads(threads)
    names, texts = _models_and_texts(list(arguments or []))
    if page is not None and len(names) != 2:
        raise ConfigError(f"--html shows the difference between two models; {len(names)} are given")
    models = [charlm.load(name) for name in names]
    if page is not None:
        page = output_path(page, "--html", inputs=(*texts, *(model.path for model in models)), overwrite=overwrite)
    with Bars(stderr()) as progress:
        first = models[0]
        settings = corpus_options(context)
        _check(models, texts, settings, split)
        if not texts:
            split = split or first.held_out_split()
        dataset = first.read(texts or None, split=split, corpus=settings, progress=progress)
        corpus, scored = dataset.text_of(split or "train")
        networks = [(model.model, model.tokenizer) for model in models]
        comparison = compare_networks(networks, corpus, scored, progress=progress)
    what = (" ".join(texts) or dataset.corpus.name) + (f", {split} split" if split else "")
    if page is not None:
        write_page(page, comparison_page(comparison, names=(names[0], names[1]), title=what), open_page=open_page)
    if json:
        _print_json(names, models, comparison, what)
    else:
        _show(names, models, comparison, what)


def _models_and_texts(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The leading arguments that name models, at least two, and the others, which name the text."""
    names, texts = leading_models(arguments, least=2)
    if len(names) < 2:
        raise ConfigError(
            f"charlm compare needs at least two models, then a TEXT; {len(names)} of the arguments name a model, as "
            "in: charlm compare runs/a runs/b"
        )
    return names, texts


def _check(models: "list[TextModel]", texts: list[str], settings: "CorpusOptions", split: "SplitName | None") -> None:
    """Raise `ConfigError` for models that can't be compared; warn if one may have been trained on the text."""
    import logging

    from charlm.sampling.pairs.source import require_models_alike

    require_models_alike({model.path: model.corpus_config for model in models})
    for model in models:
        if model.corpus_config.direction == "backward":
            raise ConfigError(f"{model.path} reads from right to left; compare models that read from left to right")
    if texts:
        return
    if settings:
        raise ConfigError(
            "--documents, --separator, --encoding and --errors apply only when a TEXT is given; add a TEXT"
        )
    own, splits = _text_sha256(models[0]), models[0].corpus_config.splits
    for model in models[1:]:
        if _text_sha256(model) != own:
            logging.getLogger(__name__).warning("%s and %s were trained on different texts", model.path, models[0].path)
        elif model.corpus_config.splits != splits:
            logging.getLogger(__name__).warning(
                "%s uses different splits from %s, so it may have been trained on the text being scored; give a TEXT "
                "that neither has seen",
                model.path,
                models[0].path,
            )


def _text_sha256(model: "TextModel") -> str | None:
    """The SHA-256 of the text that a model was trained on; None if unknown."""
    return None if model.checkpoint.corpus is None else model.checkpoint.corpus.sha256


def _rows(names: list[str], models: "list[TextModel]", comparison: "Comparison") -> list[dict[str, Any]]:
    """The figures of each model, in the order of the arguments."""
    import math

    won, best = comparison.documents_won(), comparison.best
    rows: list[dict[str, Any]] = []
    for index, (name, model) in enumerate(zip(names, models, strict=True)):
        nats, seconds = float(comparison.nats[index].sum()), comparison.seconds[index]
        training = model.checkpoint.training
        per_word = nats / comparison.words
        row: dict[str, Any] = {
            "model": name,
            "nats": nats,
            "bits_per_character": nats / comparison.characters / math.log(2),
            "bits_per_word": per_word / math.log(2),
            "perplexity_per_word": math.exp(per_word) if per_word < 700 else math.inf,
            "documents_won": won[index],
            "parameters": sum(weight.numel() for weight in model.model.parameters()),
            "file_bytes": model.path.stat().st_size,
            "characters_per_second": comparison.characters / seconds,
            "training_seconds": None if training is None else training.seconds,
            "difference": None,
        }
        if index != best:
            found = comparison.difference(index, best)
            row["difference"] = {
                "than": names[best],
                "bits_per_character": found.mean / math.log(2),
                "low": found.low / math.log(2),
                "high": found.high / math.log(2),
                "clear": found.is_clear,
                "text_low": found.text_low / math.log(2),
                "text_high": found.text_high / math.log(2),
                "clear_on_the_text": found.is_clear_on_the_text,
            }
        rows.append(row)
    return rows


def _print_json(names: list[str], models: "list[TextModel]", comparison: "Comparison", what: str) -> None:
    from charlm.cli.ui.console import print_json

    print_json(
        {
            "text": what,
            "characters": comparison.characters,
            "words": comparison.words,
            "documents": len(comparison.lengths),
            "models": _rows(names, models, comparison),
        }
    )


def _show(names: list[str], models: "list[TextModel]", comparison: "Comparison", what: str) -> None:
    """A table, the best model first, and a sentence for each of the others."""
    from rich.table import Table

    from charlm.cli.charts.numbers import perplexity_of
    from charlm.cli.ui.console import duration, size, stdout, thousands

    rows = sorted(_rows(names, models, comparison), key=lambda row: row["nats"])
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "bits/char": lambda row: f"{row['bits_per_character']:.4f}",
        "bits/word": lambda row: f"{row['bits_per_word']:.3f}",
        "perplexity/word": lambda row: perplexity_of(row["perplexity_per_word"], 1),
        "documents won": lambda row: thousands(row["documents_won"]),
        "parameters": lambda row: thousands(row["parameters"]),
        "file": lambda row: size(row["file_bytes"]),
        "chars/s": lambda row: thousands(row["characters_per_second"]),
        "trained": lambda row: "–" if row["training_seconds"] is None else duration(row["training_seconds"]),
    }
    if len(comparison.lengths) == 1:
        del columns["documents won"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    for heading in columns:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row["model"], *(cell(row) for cell in columns.values()))
    console = stdout()
    facts = f"{thousands(comparison.characters)} characters, {thousands(comparison.words)} words"
    console.print(f"{what}: {facts}", style="bold", soft_wrap=True)
    console.print(table)
    console.print()
    for row in rows[1:]:
        console.print(_sentence(row), soft_wrap=True)


def _sentence(row: dict[str, Any]) -> str:
    """How a model compares with the best one."""
    found, name = row["difference"], row["model"]
    amount = f"{found['bits_per_character']:.4f}"
    interval = f"95% interval {found['low']:+.4f} to {found['high']:+.4f}, for other texts and seeds"
    if found["clear"]:
        return f"{found['than']} is better than {name} by {amount} bits per character ({interval})"
    sentence = f"no significant difference between {name} and {found['than']} in bits per character ({interval})"
    if not found["clear_on_the_text"]:
        return sentence
    return (
        f"{sentence}; of these two models {found['than']} is better, by {amount} (95% interval for other texts: "
        f"{found['text_low']:+.4f} to {found['text_high']:+.4f}), but training with another seed could change the "
        "difference by as much"
    )

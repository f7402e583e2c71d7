"""`charlm compare`: several models on the same text."""

from pathlib import Path
from typing import Annotated

import typer

from charlm.cli.options.corpus import (
    ScoredDocumentsOption,
    ScoredEncodingOption,
    ScoredErrorsOption,
    SeparatorOption,
    SplitOption,
    options_of_texts,
)
from charlm.cli.options.models import leading_models, models_and_text, require_model_first
from charlm.cli.options.output import OpenOption, OverwriteOption, check_open, output_path, write_page
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError


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
    changes the loss by 0.2% (standard deviation). A text of fewer than 1,000 characters is too short to tell.

    Examples:
      [bold]charlm compare runs/lstm runs/gru[/bold]
      [bold]charlm compare novel novel-2 novel-3 letter.txt[/bold]
      [bold]charlm compare runs/lstm runs/gru --html difference.html[/bold]
    """
    import charlm
    from charlm.analysis.html.comparison_page import comparison_page
    from charlm.cli.reports.compare import show_comparison
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.text_model.comparison import compare_models

    check_open(open_page, page)
    use_threads(threads)
    names, texts = _models_and_texts(list(arguments or []))
    if page is not None and len(names) != 2:
        raise ConfigError(f"--html shows the difference between two models; {len(names)} are given")
    settings = options_of_texts(context, texts)
    models = [charlm.load(name) for name in names]
    if page is not None:
        page = output_path(page, "--html", inputs=(*texts, *(model.path for model in models)), overwrite=overwrite)
    with Bars(stderr()) as progress:
        found = compare_models(models, texts or None, names=names, split=split, corpus=settings, progress=progress)
    if page is not None:
        content = comparison_page(found.comparison, names=(names[0], names[1]), title=found.text)
        write_page(page, content, open_page=open_page)
    if json:
        print_json(found.to_json())
    else:
        show_comparison(found)


def _models_and_texts(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The leading arguments that name models, at least two, and the others, which name the text."""
    require_model_first(arguments, "charlm compare")
    names, texts = leading_models(arguments, least=2)
    if len(names) < 2:
        given = f"{names[0]} is the only one" if names else "none is given"
        raise ConfigError(
            f"charlm compare needs at least two models, then a TEXT, and {given}; name them, as in: charlm compare "
            "runs/a runs/b"
        )
    return names, texts

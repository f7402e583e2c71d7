"""`charlm export`: a model as one HTML file that writes in the reader's browser."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from charlm.cli.options.output import OpenOption, OverwriteOption, check_open, output_path, write_page
from charlm.cli.options.shared import JsonOption, ModelArgument, ThreadsOption, use_threads
from charlm.errors import ConfigError
from charlm.nouns import count_of, rounded

if TYPE_CHECKING:
    from charlm.export.export import ExportFacts
    from charlm.export.rounding import Bits

_UNITS = {"": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) ?([kmg]b)?", re.IGNORECASE)


def export(
    model: ModelArgument = None,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="The page to write; required.", show_default=False),
    ] = None,
    bits: Annotated[int, typer.Option(metavar="8|16", help="Bits of each weight.")] = 8,
    max_size: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="The largest size of the page, such as 900KB or 3MB. N-grams are left out until the page fits, the "
            "least useful ones first.",
        ),
    ] = "3MB",
    title: Annotated[
        str | None, typer.Option(help="The title of the page.", show_default="the name of the text")
    ] = None,
    open_page: OpenOption = False,
    overwrite: OverwriteOption = False,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Write a model as one HTML page that works offline: anybody can open it and write with the model.

    The page also shows where a text surprises the model, and how the model was made. The text that the model was
    trained on is not in the page, but the n-grams in it are short passages of that text.

    The model in the page is smaller: its weights are rounded, and its n-grams pruned. Both models are scored on the
    held-out split.

    Examples:
      [bold]charlm export --html shakespeare.html[/bold]
      [bold]charlm export runs/novel --html novel.html --title "After the novel" --max-size 1MB[/bold]
    """
    import charlm
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.export import export_page

    if page is None:
        raise ConfigError("charlm export writes a page, and --html is missing; add --html FILE")
    check_open(open_page, page)
    size = parse_size(max_size)
    use_threads(threads)
    loaded = charlm.load(model)
    page = output_path(page, "--html", inputs=(loaded.path,), overwrite=overwrite)
    if model is None:
        stderr().print(f"using {loaded.path}", soft_wrap=True)
    with Bars(stderr()) as progress:
        exported = export_page(loaded, title=title, bits=cast("Bits", bits), max_size=size, progress=progress)
    write_page(page, exported.page, open_page=open_page)
    if json:
        print_json({"page": str(page), "model": str(loaded.path)} | exported.facts.to_json())
    else:
        _show(exported.facts)


def parse_size(text: str) -> int:
    """The bytes of a size such as 3MB, 900KB or 1000000; raises `ConfigError` for any other form."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"--max-size is {text!r}; give a size such as 3MB, 900KB or 1000000")
    return int(float(match[1]) * _UNITS[(match[2] or "").lower()])


def _show(facts: "ExportFacts") -> None:
    """The figures for a person."""
    from charlm.cli.ui.console import stdout

    console = stdout()
    lines = [f"{count_of(facts.bytes, 'byte')}, weights in {facts.weight_bits} bits"]
    if facts.ngrams_before:
        share = facts.ngrams / facts.ngrams_before
        lines.append(f"{facts.ngrams:,} of {count_of(facts.ngrams_before, 'n-gram')} ({share:.0%})")
    if facts.loss is not None:
        lines.append(
            f"{facts.bits_per_character:.4f} bits per character on the {facts.split} split; the model itself "
            f"{facts.bits_per_character_before:.4f} ({rounded(facts.loss, '+.1%')})"
        )
    for line in lines:
        console.print(line)

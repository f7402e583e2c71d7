"""`charlm heatmap`: how unexpected each character of a text is."""

from pathlib import Path
from typing import Annotated

import typer

from charlm.cli.options.corpus import LabelOption
from charlm.cli.options.output import OpenOption, OverwriteOption, check_open, output_path, write_page
from charlm.cli.options.reader import ModelAndText, ReadSourceOption, UnknownOption, open_reader
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError
from charlm.nouns import count_of, form_for


def heatmap(
    arguments: ModelAndText = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a self-contained HTML page to this file instead; its tooltips show the bits and the five "
            "likeliest alternatives.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            help="Colour by the value of a unit: LAYER:NUMBER, both counted from 0, or LAYER:NUMBER:c for its cell "
            "state."
        ),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            help="Colour by a gate of a unit, LAYER:NUMBER:GATE, such as 0:12:f: orange where open, blue where closed."
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(help="Maximum number of tokens to read from the start of the text.")] = 100_000,
    open_page: OpenOption = False,
    overwrite: OverwriteOption = False,
    unknown: UnknownOption = "replace",
    label: LabelOption = None,
    source: ReadSourceOption = None,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Show how unexpected each character of a text is to a model: the stronger the orange, the more surprising.

    With subwords, whole tokens are coloured.

    Without colour (no colour terminal, or redirected output), each line is preceded by its mean bits per character.

    Examples:
      [bold]charlm heatmap letter.txt[/bold]
      [bold]charlm heatmap runs/novel letter.txt --html letter.html[/bold]
      [bold]charlm heatmap letter.txt --unit 0:12[/bold]
      [bold]charlm heatmap letter.txt --gate 0:12:f[/bold]
      [bold]charlm heatmap runs/reviews review.txt --label stars=5[/bold]
    """
    from charlm.analysis.html.heatmap_page import page as page_of
    from charlm.analysis.units.reading import read
    from charlm.cli.ui.console import Bars, note, print_json, stderr
    from charlm.cli.ui.heatmaps.reading import show_reading
    from charlm.model.unit import Unit

    check_open(open_page, page)
    use_threads(threads)
    loaded, text, title = open_reader(arguments, command="charlm heatmap", label=label, source=source, unknown=unknown)
    if page is not None:
        page = output_path(page, "--html", inputs=((arguments or [])[-1], loaded.path), overwrite=overwrite)
    model, tokenizer = loaded.model, loaded.tokenizer
    if unit is not None and gate is not None:
        raise ConfigError("--unit and --gate both choose what to colour by; give one of them")
    coloured_by = Unit.parse(unit) if unit is not None else None if gate is None else Unit.parse_gate(gate)
    with Bars(stderr()) as progress:
        reading = read(model, tokenizer, text, unit=coloured_by, tokens=tokens, unknown=unknown, progress=progress)
    if unknown_characters := tokenizer.count_unknown(reading.ids):
        number = count_of(unknown_characters, "character")
        note(f"{number} of the text {form_for(unknown_characters, 'is', 'are')} unknown to the model, shown as �")
    if page is not None:
        write_page(page, page_of(reading, tokenizer, title=title, unit=coloured_by), open_page=open_page)
    if json:
        records = [{"text": text, "bits": float(bits)} for text, bits in zip(reading.texts, reading.bits, strict=True)]
        if reading.values is not None:
            for record, value in zip(records, reading.values.tolist(), strict=True):
                record["unit" if gate is None else "gate"] = value
        print_json(records)
    elif page is None:
        show_reading(reading, coloured_by)

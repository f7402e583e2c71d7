"""`charlm heatmap`: how unexpected each character of a text is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.output import OverwriteOption, output_path
from charlm.cli.options.reader import ModelAndText, UnknownOption, open_reader
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.analysis.units.reading import Reading

_MAX_BITS = 10.0  # tokens with at least this many bits get the darkest red


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
            help="Colour by a gate of a unit, LAYER:NUMBER:GATE, such as 0:12:f: red where open, blue where closed."
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(help="Maximum number of tokens to read from the start of the text.")] = 100_000,
    overwrite: OverwriteOption = False,
    unknown: UnknownOption = "replace",
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Show how unexpected each character of a text is to a model: redder means more surprising.

    With subwords, whole tokens are coloured.

    Without colour (no colour terminal, or redirected output), each line is preceded by its mean bits per character.

    Examples:
      [bold]charlm heatmap letter.txt[/bold]
      [bold]charlm heatmap runs/novel letter.txt --html letter.html[/bold]
      [bold]charlm heatmap letter.txt --unit 0:12[/bold]
      [bold]charlm heatmap letter.txt --gate 0:12:f[/bold]
    """
    from charlm.analysis.html.heatmap_page import page as page_of
    from charlm.analysis.units.reading import read
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.files import atomic_write
    from charlm.model.unit import Unit

    use_threads(threads)
    loaded, text, title = open_reader(arguments, command="charlm heatmap")
    if page is not None:
        page = output_path(page, "--html", inputs=((arguments or [])[-1], loaded.path), overwrite=overwrite)
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    if unit is not None and gate is not None:
        raise ConfigError("--unit and --gate both choose what to colour by; give one of them")
    coloured_by = Unit.parse(unit) if unit is not None else None if gate is None else Unit.parse_gate(gate)
    with Bars(stderr()) as progress:
        reading = read(model, tokenizer, text, unit=coloured_by, tokens=tokens, unknown=unknown, progress=progress)
    if page is not None:
        atomic_write(page, page_of(reading, tokenizer, title=title, unit=coloured_by).encode())
        stderr().print(f"wrote {page}", markup=False, soft_wrap=True)
    if json:
        records = [{"text": text, "bits": float(bits)} for text, bits in zip(reading.texts, reading.bits, strict=True)]
        if reading.values is not None:
            for record, value in zip(records, reading.values.tolist(), strict=True):
                record["unit" if gate is None else "gate"] = value
        print_json(records)
    elif page is None:
        _show(reading, neutral=0.0 if gate is None else 0.5)


def _show(reading: "Reading", *, neutral: float) -> None:
    """Print the text with colours; unit values above `neutral` are red, those below are blue."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    from charlm.cli.ui.console import stdout
    from charlm.cli.ui.visible import visible

    console = stdout()
    if not console.is_terminal or console.no_color or console.color_system is None:
        _show_lines(reading)
        return
    values = None if reading.values is None else reading.values - neutral
    largest = neutral or (1.0 if values is None else max(1e-9, float(abs(values).max())))
    coloured = Text()
    for index, text in enumerate(reading.texts):
        if values is None:
            strength, is_red = min(1.0, float(reading.bits[index]) / _MAX_BITS), True
        else:
            strength, is_red = abs(float(values[index])) / largest, float(values[index]) > 0
        fade = round(255 * (1 - 0.6 * strength))
        colour = Color.from_rgb(255, fade, fade) if is_red else Color.from_rgb(fade, fade, 255)
        coloured.append(visible(text), Style(color="black", bgcolor=colour) if strength > 0.02 else Style())
    console.print(coloured, soft_wrap=True)
    console.print(f"{reading.bits.sum() / max(1, sum(map(len, reading.texts))):.3f} bits per character", style="dim")


def _show_lines(reading: "Reading") -> None:
    """Print each line after its bits per character, or after the unit's mean over its tokens."""
    line, total, count = "", 0.0, 0
    values = reading.bits if reading.values is None else reading.values
    for text, value in zip(reading.texts, values.tolist(), strict=True):
        if line.endswith("\r") and not text.startswith("\n"):
            _print_line(line, total, count)
            line, total, count = "", 0.0, 0
        total += value
        line += text
        count += len(text) if reading.values is None else 1
        while "\n" in line:
            complete_line, _, line = line.partition("\n")
            _print_line(complete_line, total, count)
            total, count = 0.0, 0
    if line:
        _print_line(line, total, count)


def _print_line(line: str, total: float, count: int) -> None:
    from charlm.cli.ui.visible import for_stdout

    print(f"{total / max(1, count):7.3f}  {for_stdout(line.removesuffix(chr(13)))}")

"""`charlm heatmap`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options import JsonOption
from charlm.config import Unknown
from charlm.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from charlm.analysis.reading import Reading

_SURE = 10.0  # bits from which on a token is as red as can be


def heatmap(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] TEXT",
            help="A model file, run folder or name of a run (the newest run if none is given), then the file to read, "
            "or - for standard input.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--html",
            help="Write a page to this file instead: one file that needs no network; a tip shows bits and "
            "the five likeliest alternatives.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Colour by the value of a unit, LAYER:NUMBER from 0, or LAYER:NUMBER:c by its cell state."),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(help="Colour by the value of a gate of a unit, LAYER:NUMBER:GATE, such as 0:12:f."),
    ] = None,
    unknown: Annotated[
        Unknown, typer.Option(help="A character that the model doesn't know: error, nearest, skip or replace.")
    ] = "replace",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    json: JsonOption = False,
) -> None:
    """Show how unexpected each character of a text is to a model.

    The redder, the more bits. For subwords it is by token. Without colours each line stands behind its bits per
    character.

    Examples:
      [bold]charlm heatmap letter.txt[/bold]
      [bold]charlm heatmap runs/novel letter.txt --html letter.html[/bold]
      [bold]charlm heatmap letter.txt --unit 0:12[/bold]
      [bold]charlm heatmap letter.txt --gate 0:12:f[/bold]
    """
    import torch

    import charlm
    from charlm.analysis.page import page as page_of
    from charlm.analysis.reading import read
    from charlm.analysis.unit import Unit
    from charlm.cli.console import Bars, print_json, stderr
    from charlm.config import check_range
    from charlm.files import atomic_write

    check_range("--threads", threads, 1, 1024)
    torch.set_num_threads(threads)
    names = list(arguments or [])
    if not 1 <= len(names) <= 2:
        raise ConfigError("give a TEXT to read, or a MODEL and a TEXT")
    text = _read_text(names[-1])
    loaded = charlm.load(names[0] if len(names) == 2 else None)
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    if loaded.corpus_config.direction == "backward":
        raise ConfigError(
            f"{loaded.path} reads from right to left, and a heatmap from left to right; name another model"
        )
    if unit is not None and gate is not None:
        raise ConfigError("--unit and --gate both say what to colour by; give one of them")
    followed = Unit.parse(unit) if unit is not None else None if gate is None else Unit.parse_gate(gate)
    with Bars(stderr()) as progress:
        reading = read(model, tokenizer, text, unit=followed, unknown=unknown, progress=progress)
    if page is not None:
        title = f"{Path(names[-1]).name if names[-1] != '-' else 'standard input'} read by {loaded.path.parent.name}"
        atomic_write(page, page_of(reading, tokenizer, title=title, unit=followed).encode())
        stderr().print(f"page in {page}", markup=False, soft_wrap=True)
    if json:
        tokens = [{"text": text, "bits": float(bits)} for text, bits in zip(reading.texts, reading.bits, strict=True)]
        if reading.values is not None:
            for token, value in zip(tokens, reading.values.tolist(), strict=True):
                token["unit" if gate is None else "gate"] = value
        print_json(tokens)
    elif page is None:
        _show(reading, None if gate is None else 1.0)


def _read_text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{name} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name} is no UTF-8: byte 0x{data[error.start]:02x} at byte offset {error.start}") from None


def _show(reading: "Reading", largest: float | None) -> None:
    """The text in the terminal; `largest` is the value with the deepest colour, by default the largest of all."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    from charlm.cli.console import stdout

    console = stdout()
    if not console.is_terminal or console.no_color or console.color_system is None:
        _show_lines(reading)
        return
    if largest is None:
        largest = 1.0 if reading.values is None else max(1e-9, float(abs(reading.values).max()))
    shown = Text()
    for index, text in enumerate(reading.texts):
        if reading.values is None:
            share, rising = min(1.0, float(reading.bits[index]) / _SURE), True
        else:
            share, rising = abs(float(reading.values[index])) / largest, float(reading.values[index]) > 0
        fade = round(255 * (1 - 0.8 * share))
        colour = Color.from_rgb(255, fade, fade) if rising else Color.from_rgb(fade, fade, 255)
        shown.append(text, Style(color="black", bgcolor=colour) if share > 0.02 else Style())
    console.print(shown, soft_wrap=True)
    console.print(f"{reading.bits.sum() / max(1, len(shown.plain)):.3f} bits per character", style="dim")


def _show_lines(reading: "Reading") -> None:
    """Each line behind its bits per character, or the mean of the unit."""
    line, total, count = "", 0.0, 0
    figures = reading.bits if reading.values is None else reading.values
    for text, figure in zip(reading.texts, figures.tolist(), strict=True):
        total += figure
        line += text
        count += len(text) if reading.values is None else 1
        while "\n" in line:
            whole, _, line = line.partition("\n")
            print(f"{total / max(1, count):7.3f}  {whole}")
            total, count = 0.0, 0
    if line:
        print(f"{total / max(1, count):7.3f}  {line}")

"""How a model reads a text: its characters shaded by their bits or by the values of a unit."""

from rich.text import Text

from charlm.analysis.units.reading import Reading
from charlm.analysis.units.scale import scale_of
from charlm.cli.ui.console import stderr, stdout
from charlm.cli.ui.heatmaps.shades import Shades, shows_colours
from charlm.cli.ui.visible import for_stdout, visible
from charlm.model.unit import Unit


def show_reading(reading: Reading, unit: Unit | None) -> None:
    """Print the text with colours and a legend, or with figures in front of its lines."""
    console = stdout()
    if not shows_colours(console):
        figure = "its bits per character" if unit is None else f"the mean of {unit.kind} {unit}"
        stderr().print(f"in front of each line: {figure}", soft_wrap=True)
        show_lines(reading)
        return
    shades, scale = Shades(console), scale_of(reading, unit)
    values = reading.bits if reading.values is None else reading.values
    coloured = Text()
    for text, share in zip(reading.texts, scale.shares(values).tolist(), strict=True):
        coloured.append(visible(text), shades.style(share))
    console.print(coloured, soft_wrap=True)
    legend = Text()
    for label, share in scale.marks:
        legend.append(f" {label} ", shades.style(share))
        legend.append(" ")
    legend.append(f" {reading.bits.sum() / max(1, sum(map(len, reading.texts))):.3f} bits per character")
    console.print(legend, soft_wrap=True)


def show_lines(reading: Reading) -> None:
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
    print(f"{total / max(1, count):7.3f}  {for_stdout(line.removesuffix(chr(13)))}")

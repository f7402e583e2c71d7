"""The shades of heat maps in a terminal: the colours of the HTML pages, always background and text together.

A shade that sets both is legible whatever colours the terminal has.
"""

import os

from rich.color import Color
from rich.console import COLOR_SYSTEMS, Console
from rich.style import Style

from charlm.cli.ui.heatmaps.palette import read_palette

_LIGHT = (7, *range(9, 16))  # backgrounds, of 16 colours
_FEW_COLOURS = ("standard", "windows")
_STRONG = 0.5  # with 16 colours only stronger shades are shown, since the terminal's theme decides how these look


class Shades:
    """The shades that a console can show."""

    def __init__(self, console: Console) -> None:
        """Use the light or the dark theme of the pages, as the terminal's background."""
        self._system = console.color_system
        self._palette = read_palette("light" if _has_light_background() else "dark")

    def style(self, share: float) -> Style:
        """The style of a value from -1 (blue) over 0 to 1 (orange; yellow if there are only 16 colours)."""
        if self._system in _FEW_COLOURS:
            if abs(share) < _STRONG:
                return Style()
            ink, shade = ("black", "bright_yellow") if share > 0 else ("bright_white", "blue")
            return Style(color=ink, bgcolor=shade)
        background = self._palette.shade(share)
        return Style(color=Color.from_rgb(*self._palette.ink), bgcolor=Color.from_rgb(*background))

    def render(self, text: str, share: float) -> str:
        """`text` with the escape codes of its shade."""
        return self.style(share).render(text, color_system=COLOR_SYSTEMS[self._system] if self._system else None)


def shows_colours(console: Console) -> bool:
    """Whether a console is a terminal with colours that the user hasn't turned off."""
    return console.is_terminal and not console.no_color and console.color_system is not None


def _has_light_background() -> bool:
    """Whether the terminal says so in COLORFGBG, such as "0;15"; few terminals set it, and most are dark."""
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return background.isdecimal() and int(background) in _LIGHT

"""The shades of heat maps in a terminal: the colours of the HTML pages, always background and text together.

A shade that sets both is legible whatever colours the terminal has. `style.css` defines the colours.
"""

import os
import re
from dataclasses import dataclass
from typing import Literal

from rich.color import Color
from rich.console import COLOR_SYSTEMS, Console
from rich.style import Style

from charlm.analysis.html.template import read_part

_LIGHT = (7, *range(9, 16))  # backgrounds, of 16 colours
_FEW_COLOURS = ("standard", "windows")
_STRONG = 0.5  # with 16 colours only stronger shades are shown, since the terminal's theme decides how these look

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255 (sRGB)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """The colours of one theme. Text in `ink` is legible on every shade between `paper`, `warm` and `cool`."""

    paper: Colour
    """Background without a shade."""
    ink: Colour
    """Text."""
    warm: Colour
    """Background of the largest surprise, of a value far above the middle, or of the first of two models."""
    cool: Colour
    """Background of a value far below the middle, or of the second of two models."""

    def shade(self, share: float) -> Colour:
        """The background of a value from -1 (`cool`) over 0 (`paper`) to 1 (`warm`); values beyond are clipped."""
        share = max(-1.0, min(1.0, share))
        full = self.warm if share > 0 else self.cool
        red, green, blue = (
            round(start + abs(share) * (end - start)) for start, end in zip(self.paper, full, strict=True)
        )
        return red, green, blue


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


def read_palette(theme: Literal["light", "dark"]) -> Palette:
    """The colours of a theme in `style.css`."""
    light, _, dark = read_part("style.css").partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--(\w+): #([0-9a-f]{6})", light if theme == "light" else dark))
    return Palette(**{name: _colour(colours[name]) for name in ("paper", "ink", "warm", "cool")})


def shows_colours(console: Console) -> bool:
    """Whether a console is a terminal with colours that the user hasn't turned off."""
    return console.is_terminal and not console.no_color and console.color_system is not None


def _has_light_background() -> bool:
    """Whether the terminal says so in COLORFGBG, such as "0;15"; few terminals set it, and most are dark."""
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return background.isdecimal() and int(background) in _LIGHT


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue

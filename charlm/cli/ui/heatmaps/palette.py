"""The colours of heat maps, for the terminal: `style.css` defines them, and the pages use them from there."""

import re
from dataclasses import dataclass
from typing import Literal

from charlm.analysis.html.template import read_part

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


def read_palette(theme: Literal["light", "dark"]) -> Palette:
    """The colours of a theme in `style.css`."""
    light, _, dark = read_part("style.css").partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--(\w+): #([0-9a-f]{6})", light if theme == "light" else dark))
    return Palette(**{name: _colour(colours[name]) for name in ("paper", "ink", "warm", "cool")})


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue

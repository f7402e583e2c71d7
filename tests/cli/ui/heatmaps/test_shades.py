"""The colours of heat maps can be read, in light and in dark, by people who see all colours and by those who don't."""

import re
from itertools import pairwise

import numpy as np
import pytest
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, TerminalTheme

from charlm.analysis.html.template import read_part
from charlm.cli.ui.heatmaps.shades import Colour, Palette, Shades, read_palette, shows_colours

SHARES = np.linspace(-1, 1, 201).tolist()
DICHROMATS = {  # Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}
XTERM = (  # the colours of xterm's 16
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)),
    (255, 255, 255),
)
THEMES = (DEFAULT_TERMINAL_THEME, TerminalTheme((0, 0, 0), (229, 229, 229), XTERM[:8], XTERM[8:]))


def linear(colour: Colour) -> np.ndarray:
    """Linear RGB, 0 to 1."""
    share = np.array(colour) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def luminance(colour: Colour) -> float:
    """WCAG 2.2, relative luminance."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2, contrast ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def shown(color: Color, system: ColorSystem, theme: TerminalTheme) -> Colour:
    """A colour as a terminal with this system and theme shows it."""
    return color.downgrade(system).get_truecolor(theme)


@pytest.fixture(params=["light", "dark"])
def palette(request: pytest.FixtureRequest) -> Palette:
    return read_palette(request.param)


def test_text_is_legible_on_every_shade_of_a_palette(palette: Palette) -> None:
    assert min(contrast(palette.ink, palette.shade(share)) for share in SHARES) >= 4.5


def test_other_text_of_the_pages_is_legible() -> None:
    themes = read_part("style.css").split("@media (prefers-color-scheme: dark)")
    for theme in themes[:2]:
        colours = {name: tuple(bytes.fromhex(code)) for name, code in re.findall(r"--(\w+): #(\w{6})", theme)}
        assert contrast(colours["dim"], colours["paper"]) >= 4.5
        assert contrast(colours["ink"], colours["box"]) >= 4.5


def test_a_stronger_shade_differs_more_from_the_paper(palette: Palette) -> None:
    for sign in (-1, 1):
        steps = [contrast(palette.shade(sign * share / 20), palette.paper) for share in range(21)]
        assert steps == sorted(steps) and steps[0] == 1 and steps[-1] >= 1.8


@pytest.mark.parametrize("vision", DICHROMATS)
def test_the_two_sides_differ_for_colour_blind_people(palette: Palette, vision: str) -> None:
    warm, cool = (np.array(DICHROMATS[vision]) @ linear(colour) for colour in (palette.warm, palette.cool))
    assert np.abs(warm - cool).max() >= 0.2


def test_shades_are_clipped(palette: Palette) -> None:
    assert palette.shade(0) == palette.paper
    assert palette.shade(3) == palette.warm and palette.shade(-3) == palette.cool


@pytest.mark.parametrize("background", ["0;15", "15;0", ""])
@pytest.mark.parametrize("system", SYSTEMS)
def test_text_is_legible_on_every_shade(monkeypatch: pytest.MonkeyPatch, background: str, system: str) -> None:
    monkeypatch.setenv("COLORFGBG", background)
    shades = Shades(Console(force_terminal=True, color_system=system))
    for share in range(-100, 101):
        style = shades.style(share / 100)
        if style.color is None:
            assert style.bgcolor is None and system == "standard"  # the terminal's own colours
            continue
        assert style.bgcolor is not None
        for theme in THEMES:
            ink, paper = (shown(color, SYSTEMS[system], theme) for color in (style.color, style.bgcolor))
            assert contrast(ink, paper) >= 4.5, (share, style)


@pytest.mark.parametrize("background", ["0;15", "15;0"])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_stronger_shade_is_never_weaker_with_256_colours(
    monkeypatch: pytest.MonkeyPatch, background: str, side: int
) -> None:
    monkeypatch.setenv("COLORFGBG", background)
    shades = Shades(Console(force_terminal=True, color_system="256"))
    colours = [
        shown(shades.style(side * share / 20).bgcolor, ColorSystem.EIGHT_BIT, DEFAULT_TERMINAL_THEME)
        for share in range(21)
    ]
    steps = [luminance(colour) * (-1 if background == "0;15" else 1) for colour in colours]
    assert all(next_one >= one - 0.015 for one, next_one in pairwise(steps)) and len(set(steps)) >= 4


@pytest.mark.parametrize(
    ("background", "light"), [("0;15", True), ("0;default;7", True), ("15;0", False), ("15;8", False), ("x", False)]
)
def test_the_theme_follows_the_background(monkeypatch: pytest.MonkeyPatch, background: str, light: bool) -> None:
    monkeypatch.setenv("COLORFGBG", background)
    style = Shades(Console(force_terminal=True, color_system="truecolor")).style(0)
    assert (sum(style.bgcolor.get_truecolor()) > 380) == light


def test_there_are_no_colours_without_a_terminal_or_against_the_users_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not shows_colours(Console(force_terminal=True, color_system="256"))  # NO_COLOR
    monkeypatch.delenv("NO_COLOR")
    assert shows_colours(Console(force_terminal=True, color_system="256"))
    assert not shows_colours(Console(force_terminal=False, color_system="256"))
    assert not shows_colours(Console(force_terminal=True, color_system=None))

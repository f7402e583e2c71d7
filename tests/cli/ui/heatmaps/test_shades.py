from itertools import pairwise

import pytest
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, TerminalTheme

from charlm.cli.ui.heatmaps.shades import Shades, shows_colours

SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}
XTERM = (  # the colours of xterm's 16
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)),
    (255, 255, 255),
)
THEMES = (DEFAULT_TERMINAL_THEME, TerminalTheme((0, 0, 0), (229, 229, 229), XTERM[:8], XTERM[8:]))


def luminance(color: Color, theme: TerminalTheme) -> float:
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares(color, theme)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def shares(color: Color, theme: TerminalTheme) -> list[float]:
    return [part / 255 for part in color.get_truecolor(theme)]


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
            darker, lighter = sorted(
                luminance(color.downgrade(SYSTEMS[system]), theme) for color in (style.color, style.bgcolor)
            )
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (share, style)


@pytest.mark.parametrize("background", ["0;15", "15;0"])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_stronger_shade_is_never_weaker_with_256_colours(
    monkeypatch: pytest.MonkeyPatch, background: str, side: int
) -> None:
    monkeypatch.setenv("COLORFGBG", background)
    shades = Shades(Console(force_terminal=True, color_system="256"))
    colours = [shades.style(side * share / 20).bgcolor.downgrade(ColorSystem.EIGHT_BIT) for share in range(21)]
    steps = [luminance(colour, DEFAULT_TERMINAL_THEME) * (-1 if background == "0;15" else 1) for colour in colours]
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

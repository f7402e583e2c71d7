"""The colours of heat maps can be read, in light and in dark, by people who see all colours and by those who don't."""

import re

import numpy as np
import pytest

from charlm.analysis.html.template import read_part
from charlm.cli.ui.heatmaps.palette import Colour, Palette, read_palette

SHARES = np.linspace(-1, 1, 201).tolist()
DICHROMATS = {  # Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: Colour) -> np.ndarray:
    """Linear RGB, 0 to 1 (WCAG 2.2, relative luminance)."""
    share = np.array(colour) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def luminance(colour: Colour) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2, contrast ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.fixture(params=["light", "dark"])
def palette(request: pytest.FixtureRequest) -> Palette:
    return read_palette(request.param)


def test_text_is_legible_on_every_shade(palette: Palette) -> None:
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

"""The sentence on two models."""

import math

import pytest

from charlm.cli.reports.compare import sentence
from charlm.text_model.comparison import GapToBest


@pytest.mark.parametrize(
    ("clear", "on_the_text", "expected"),
    [
        (True, True, "a is better than b by 0.0100 bits per character (95% interval -0.0100 to +0.0300, for other"),
        (False, True, "another seed could change the difference by as much"),
        (
            False,
            False,
            "no significant difference between b and a in bits per character (95% interval -0.0100 to +0.0300, for",
        ),
    ],
)
def test_the_sentence_says_what_the_interval_does(clear: bool, on_the_text: bool, expected: str) -> None:
    interval = {"low": -0.01, "high": 0.03, "text_low": 0.005, "text_high": 0.015}
    gap = GapToBest(than="a", bits_per_character=0.01, clear=clear, clear_on_the_text=on_the_text, **interval)
    said = sentence("b", gap, 5000)
    assert expected in said and said.startswith("no significant difference") == (not clear)
    assert ("(95% interval for other texts: +0.0050 to +0.0150)" in said) == (on_the_text and not clear)


def test_a_bound_that_rounds_to_zero_has_no_sign() -> None:
    interval = {"low": -0.00001, "high": 0.00004, "text_low": 0.0, "text_high": 0.0}
    gap = GapToBest(than="a", bits_per_character=0.0, clear=False, clear_on_the_text=False, **interval)
    assert "(95% interval 0.0000 to 0.0000, for" in sentence("b", gap, 5000)


def test_a_text_that_is_too_short_is_no_verdict() -> None:
    interval = {"low": -math.inf, "high": math.inf, "text_low": -math.inf, "text_high": math.inf}
    gap = GapToBest(than="a", bits_per_character=3.0, clear=False, clear_on_the_text=False, **interval)
    assert sentence("b", gap, 1) == (
        "too little text to tell whether a is better than b: 1 of at least 1,000 characters; give a longer text"
    )

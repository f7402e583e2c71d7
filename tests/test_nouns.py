"""Counted nouns, and that every message uses them."""

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import charlm
from charlm.nouns import count_of, form_for, rounded

COUNTED = (
    *(
        "byte",
        "character",
        "document",
        "feature",
        "field",
        "file",
        "line",
        "n-gram",
        "parameter",
        "process",
        "property",
    ),
    *("row", "sequence", "step", "target", "text", "thread", "token", "unit", "upload", "word"),
)
PLURALS = "|".join(count_of(2, noun).removeprefix("2 ") for noun in COUNTED)


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "byte", "0 bytes"),
        (1, "byte", "1 byte"),
        (1234, "byte", "1,234 bytes"),
        (1, "training token", "1 training token"),
        (2, "process", "2 processes"),
        (2, "property", "2 properties"),
        (2, "day", "2 days"),
    ],
)
def test_a_noun_has_the_form_of_its_number(number: int, noun: str, expected: str) -> None:
    assert count_of(number, noun) == expected


def test_a_verb_has_the_form_of_its_number() -> None:
    assert [form_for(number, "is", "are") for number in (0, 1, 1.0, 1.5, 2)] == ["are", "is", "is", "are", "are"]


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (-0.0004, ".1%", "0.0%"),
        (0.0004, "+.1%", "0.0%"),
        (-0.0006, "+.1%", "-0.1%"),
        (0.0006, "+.1%", "+0.1%"),
        (-0.0, ".4g", "0"),
        (-0.0, ",.1f", "0.0"),
        (-1000.0, ",.1f", "-1,000.0"),
        (-0.0, ".0e", "0e+00"),
        (-math.inf, ".2f", "-inf"),
        (-0.0, "", "0.0"),
    ],
)
def test_what_rounds_to_zero_has_no_sign(value: float, form: str, expected: str) -> None:
    assert rounded(value, form) == expected


def plurals_after_a_number(source: str) -> Iterator[str]:
    """What stands in f-strings as a count, {n:,}, thousands(n) or len(n), and a plural that doesn't depend on it.

    A constant, whose name is in capitals, is never 1.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                number = ast.unparse(value.value)
                form = ast.unparse(value.format_spec) if value.format_spec else ""
                counts = form == "f','" or re.match(r"(thousands|len)\(", number) is not None
                if counts and not number.isupper() and re.match(rf" ([a-z-]+ )?({PLURALS})\b(?!/)", str(text.value)):
                    yield f"{{{number}}}{text.value}"


def test_a_plural_after_a_number_is_found() -> None:
    assert [
        *plurals_after_a_number('f"{n:,} bytes, {thousands(n)} unknown characters, {n:.2f} steps, {M:,} texts"')
    ] == [
        "{n} bytes, ",
        "{thousands(n)} unknown characters, ",
    ]


def test_every_counted_noun_has_its_singular() -> None:
    paths = sorted(Path(charlm.__file__).parent.rglob("*.py"))
    found = {path.name: [*plurals_after_a_number(path.read_text(encoding="utf-8"))] for path in paths}
    assert {name: texts for name, texts in found.items() if texts} == {}

import re

import pytest

from charlm.errors import ConfigError
from charlm.sampling.constraints.automata.pattern import matching
from charlm.sampling.constraints.automaton import DEAD, ENDED

pytest.importorskip("outlines_core")


def test_a_table_accepts_what_the_expression_matches(read) -> None:
    expression = "[A-Z][a-zé]+( (is|was) .*)?[.!]"
    table = matching(expression)
    for text in ("Été is.", "Été is é.", "Bé!", "B!", "Bob is", "Bob. x", "Bé. "):
        assert read(table, text)[1] == bool(re.fullmatch(expression, text))


def test_a_text_ends_before_what_does_not_match(read) -> None:
    table = matching("[a-z]+")
    assert read(table, "ab ")[0] == ENDED and read(table, " ")[0] == DEAD


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a(", "not a regular expression"),
        ("[^\\s\\S]", "matches no text"),
        ("(?=a)b", "has a part that isn't supported"),
        (r"(a)\1", "has a part that isn't supported"),
        (r"\bking\b", r"\\b isn't supported"),
        ("^a$", "leave out"),
        ("(a|b)*a(a|b){14}", "too complex"),
    ],
)
def test_an_expression_without_an_automaton_is_an_error_of_one_line(expression: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        matching(expression)
    assert "\n" not in str(raised.value)


def test_the_engine_has_limits() -> None:
    with pytest.raises(ConfigError, match="too complex"):
        matching("a{1000}{1000}", seconds=0.5)

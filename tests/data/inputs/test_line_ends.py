import re

from hypothesis import given
from hypothesis import strategies as st

from charlm.data.inputs.line_ends import any_line_end, count_line_ends, has_blank_line, with_lf, with_whole_line_ends

TEXTS = st.text("ab\r\n.", max_size=12)


@given(TEXTS)
def test_line_ends_are_those_of_splitlines(text: str) -> None:
    assert with_lf(text).splitlines() == text.splitlines()
    assert count_line_ends(text) == with_lf(text).count("\n")
    assert has_blank_line(text) == ("\n\n" in with_lf(text))


@given(TEXTS, TEXTS)
def test_a_pattern_matches_a_text_with_any_line_ends(text: str, other: str) -> None:
    assert bool(re.fullmatch(any_line_end(text), other)) == (with_lf(text) == with_lf(other))


@given(st.lists(TEXTS))
def test_parts_never_end_inside_a_line_end(texts: list[str]) -> None:
    parts = list(with_whole_line_ends(texts))
    assert "".join(parts) == "".join(texts)
    assert not any(part.endswith("\r") and "".join(parts[at + 1 :])[:1] == "\n" for at, part in enumerate(parts))

import pytest

from charlm.data.inputs.borders import LINE, SENTENCE, WORD, TextUnit, last_paragraph_start, unit_of


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("He came. She went", SENTENCE),
        ("“Why?” he\nsaid", SENTENCE),
        ("寒随穷律变，春逐鸟声开。初风", SENTENCE),
        ("Big Dip O’Ruby\n24 Carrot\n3.5 Karat", LINE),
        ("anarchism originated as a term of abuse", WORD),
        ("word", None),
        ("", None),
    ],
)
def test_the_unit_is_the_one_that_the_text_has(text: str, unit: TextUnit | None) -> None:
    assert unit_of(text) is unit


@pytest.mark.parametrize(
    ("text", "least", "end"),
    [
        ("He came. She went. So", 0, "He came."),
        ("He came. She went. So", 9, "He came. She went."),
        ("“No.” He left", 0, "“No.”"),
        ("3.14 is pi! Yes", 0, "3.14 is pi!"),
        ("a b\nc\n", 4, "a b\nc"),
        ("one two three", 4, "one two"),
        ("He came. She", 9, None),
    ],
)
def test_a_passage_ends_after_its_last_mark(text: str, least: int, end: str | None) -> None:
    unit = unit_of(text)
    assert unit is not None
    at = unit.first_end(text, least)
    assert (None if at is None else text[:at]) == end


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("ut it. “She went", "“She went"),
        ("ut it.\n\n  She", "She"),
        ("ut it. ", None),
        ("ut\nline\nanother", "another"),
        ("ut 开。初", "初"),
        ("ut it", "it"),
    ],
)
def test_a_passage_begins_at_its_first_letter(text: str, begins: str | None) -> None:
    unit = unit_of(text)
    assert unit is not None
    at = unit.last_start(text)
    assert (None if at is None else text[at:]) == begins


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_paragraph_begins_after_a_blank_line(line_end: str) -> None:
    text = f"it.{line_end} {line_end}{line_end}The"
    at = last_paragraph_start(text)
    assert at is not None and text[at:] == "The"
    assert last_paragraph_start(f"it.{line_end}The") is None

import pytest

from charlm.sampling.constraints.automata.texts import acrostic, containing, lines, without
from charlm.sampling.constraints.automaton import DEAD, ENDED


@pytest.mark.parametrize("text", ["aab aab c", "the the king", "é à", "ab"])
def test_a_text_is_found_as_whole_words(read, text: str) -> None:
    table = containing(text)
    for before in ("", "x ", "—", "“", text[0] + " ", text[:-1] + " "):
        assert read(table, before + text)[1]
        assert read(table, before + text + "’s x")[1]
        assert not read(table, before + text[:-1])[1]
    assert not read(table, "x" + text)[1]
    assert not read(table, text + "s")[1] and not read(table, text + "é")[1]
    assert read(table, text + "s " + text)[1]


def test_punctuation_needs_no_border(read) -> None:
    assert read(containing("."), "x.y")[1] and read(containing(", he"), "and, he")[1]


def test_a_text_is_left_out(read) -> None:
    assert read(without("aba"), "abba")[1] and read(without("aba"), "ababa")[0] == DEAD
    assert read(without("\n\n", ends=True), "a\n\n")[0] == ENDED


@pytest.mark.parametrize(("text", "accepted"), [("a\n\nb", True), ("a", False), (" \na\nb ", True), ("a\n ", False)])
def test_lines_are_counted_without_blank_ones(read, text: str, accepted: bool) -> None:
    assert read(lines(2), text)[1] == accepted
    assert read(lines(2), "a\nb\n")[0] == ENDED


@pytest.mark.parametrize("text", ["Hi\nés", "hi\n\nÉ s"])
def test_lines_begin_with_the_letters_of_an_acrostic(read, text: str) -> None:
    assert read(acrostic("hé"), text)[1]
    assert read(acrostic("hé"), text + "\n")[0] == ENDED
    assert read(acrostic("hé"), "hi\nx")[0] == DEAD and read(acrostic("hé"), "h\n")[0] == DEAD

import numpy as np
import pytest

from charlm.sampling.constraints.automata.texts import acrostic, containing, lines, whole_sentences, without
from charlm.sampling.constraints.automaton import DEAD, ENDED, UNFINISHED, intersect


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


@pytest.mark.parametrize("text", ["Yes.", "“Yes!”", "Yes? ", "好。」", "a… \n"])
def test_a_text_may_end_with_a_sentence(read, text: str) -> None:
    table = whole_sentences()
    for written, nats in ((text, 0.0), (text + "A", UNFINISHED), (text + ",", UNFINISHED), ("", UNFINISHED)):
        state, accepted, _ = read(table, written)
        assert accepted and table.ending(np.array([state]))[0] == nats


def test_lines_know_whether_they_end_with_a_sentence(read) -> None:
    table = intersect(lines(2), whole_sentences(), most=100)
    ending = {text: table.ending(np.array([read(table, text)[0]]))[0] for text in ("a\nb.", "a.\nb", "a.\nb:")}
    assert ending == {"a\nb.": 0.0, "a.\nb": UNFINISHED, "a.\nb:": UNFINISHED}
    assert read(table, "a\nb.\n")[0] == ENDED

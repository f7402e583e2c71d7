import itertools

import numpy as np

from charlm.sampling.constraints.automata.texts import containing, lines, without
from charlm.sampling.constraints.automaton import DEAD, ENDED, NEVER, explore, intersect


def even(byte: int):
    """Texts with an even number of a byte."""
    return explore(0, lambda state, own: state ^ (own == byte), lambda state: state == 0)


def test_the_product_accepts_what_both_accept(read) -> None:
    first, second = even(ord("a")), without("bab")
    product = intersect(first, second, most=100)
    for letters in itertools.product("ab", repeat=6):
        text = "".join(letters)
        assert read(product, text)[1] == (text.count("a") % 2 == 0 and "bab" not in text)


def test_a_product_that_is_too_large_is_none() -> None:
    assert intersect(containing("abcdefgh"), containing("hgfedcba"), most=10) is None


def test_a_text_ends_only_where_all_accept_it(read) -> None:
    product = intersect(lines(1), containing("b"), most=100)
    assert read(product, "a\n")[0] == DEAD
    assert read(product, "b\n")[0] == ENDED


def test_the_distance_is_in_characters(read) -> None:
    table = containing("né")
    assert [read(table, text)[2] for text in ("", "n", "né", "xn")] == [2, 1, 0, 3]


def test_states_that_accept_nothing_are_dead() -> None:
    table = explore("", lambda state, byte: (state + chr(byte))[:2], lambda state: state == "ab")
    states = table.step(np.array([table.start]), np.array([ord("x")], dtype=np.uint8))
    assert states[0] == DEAD and table.distance(states)[0] == NEVER


def test_a_state_that_accepts_everything_is_free() -> None:
    table = containing("b")
    states = table.step(np.array([table.start] * 2), np.frombuffer(b"ab", dtype=np.uint8))
    states = table.step(states, np.frombuffer(b"  ", dtype=np.uint8))
    assert table.is_free(states).tolist() == [False, True]

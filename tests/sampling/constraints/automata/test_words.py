import pytest

from charlm.errors import ConfigError
from charlm.sampling.constraints.automata.words import of_words
from charlm.sampling.constraints.automaton import DEAD


@pytest.fixture(scope="module")
def table():
    return of_words(["cat", "don't", "don", "naïve", "at"], lambda text: True)


@pytest.mark.parametrize("text", ["Cat, 'don' don't—CAT", "naïve", "", "…at 'don'’cat"])
def test_only_words_of_the_list_are_accepted(read, table, text: str) -> None:
    assert read(table, text)[1]


@pytest.mark.parametrize("text", ["dog", "cats", "cat1", "naive", "cAt"])
def test_other_words_are_not(read, table, text: str) -> None:
    assert read(table, text)[0] == DEAD


def test_an_apostrophe_separates_short_words_only(read, table) -> None:
    assert read(table, "don'cat")[0] == DEAD and read(table, "cat’at")[0] == DEAD
    assert read(table, "cat' at")[1] and read(table, "cat'")[1:] == (True, 0)
    assert read(table, "at'cat")[1] and read(table, "At’don't")[1] and read(table, "cat-at")[1]


def test_the_distance_is_to_the_end_of_a_word(read, table) -> None:
    assert [read(table, text)[2] for text in ("ca", "don", "na", "cat ")] == [1, 0, 3, 0]


def test_words_that_can_t_be_written_are_left_out(read) -> None:
    assert read(of_words(["é", "e"], str.isascii), "é")[0] == DEAD
    with pytest.raises(ConfigError, match="--words has no word that this model can write: 'é', 'ü', 'ä', …; give"):
        of_words(["é", "ü", "ä", "ö"], str.isascii)

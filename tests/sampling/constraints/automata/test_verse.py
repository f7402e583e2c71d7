import numpy as np
import pytest

from charlm.sampling.constraints.automata.lexicon import LETTERS, lexicon_of, without_letters
from charlm.sampling.constraints.automata.verse import Verse
from charlm.sampling.constraints.automaton import DEAD, ENDED, NEVER, UNFINISHED
from charlm.sampling.constraints.bigrams import Bigrams
from charlm.sampling.constraints.lookahead import LOWEST

WORDS = {"cat": (1, 0), "hat": (1, 0), "bat": (1, 0), "habit": (2, 1), "rabbit": (2, 1), "don't": (1, 2), "i": (1, 3)}
WORDS |= {"dog": (1, 4), "fog": (1, 4), "log": (1, 4)}


@pytest.fixture(scope="module")
def words():
    names = tuple(sorted(WORDS))
    return lexicon_of(names, *(np.array([WORDS[name][part] for name in names]) for part in (0, 1)))


@pytest.fixture(scope="module")
def bigrams():
    written = np.array(sorted(b" \n',.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    shares = np.full(len(written) + 1, 1 / (len(written) + 1))
    return Bigrams(written, np.tile(shares, (len(written), 1)), shares)


def test_a_word_is_a_path_of_letters(words) -> None:
    for number, word in enumerate(words.words):
        node = 0
        for letter in word:
            node = words.child[node, LETTERS.index(letter)]
        assert words.word[node] == number and words.depth[node] == len(word)


def test_words_with_letters_that_can_t_be_written_are_left_out(words) -> None:
    assert without_letters(words, "ri").words == ("bat", "cat", "dog", "don't", "fog", "hat", "log")


@pytest.mark.parametrize("text", ["a", "habit cat i", "cat\n", "habit \n", "Habit,\n hat hat"])
def test_other_syllables_are_dead(read, words, bigrams, text: str) -> None:
    assert read(Verse(words, (2, 1), "", bigrams), text + "\n")[0] == DEAD


def test_syllables_are_counted(read, words, bigrams) -> None:
    verse = Verse(words, (2, 3), "", bigrams)
    text = "Cat, don't\nI, rabbit!"
    assert read(verse, text)[1:] == (True, 0) and read(verse, text + "\n")[0] == ENDED
    assert read(verse, text[:-1])[1] and read(verse, "Cat, don't\nI, rabbi")[1:] == (False, 1)
    assert read(verse, "")[2] == len("i i\ni i i")


def test_lines_rhyme_with_other_words(read, words, bigrams) -> None:
    verse = Verse(words, (1, 2, 1), "ABA", bigrams)
    assert read(verse, "cat\nrabbit\nhat")[1]
    for wrong in ("cat\nrabbit\ncat", "cat\nrabbit\ni", "i", "don't"):
        assert not read(verse, wrong)[1] and read(verse, wrong + "\n")[0] == DEAD
    assert read(verse, "cat\nrabbit\n")[2] == 3


def test_the_chance_is_that_of_the_words_that_fit(words, bigrams) -> None:
    verse = Verse(words, (1,), "", bigrams)
    states = verse.step(np.array([verse.start] * 3), np.frombuffer(b"cir", dtype=np.uint8))
    cat, i, rabbit = verse.log_chance(states, states, states)
    assert rabbit < cat < i


def test_verse_may_end_with_a_sentence(read, words, bigrams) -> None:
    verse = Verse(words, (1, 1), "", bigrams)
    for text, nats in (("cat.\ni.", 0.0), ('cat\nI!"', 0.0), ("cat.\ni", UNFINISHED), ("cat\ni.,", UNFINISHED)):
        state, accepted, distance = read(verse, text)
        assert accepted and distance == 0 and verse.ending(np.array([state]))[0] == nats
        assert read(verse, text + "\n")[0] == ENDED and read(verse, text + " i")[0] == DEAD
    assert verse.log_chance(*np.array([[read(verse, "i\ni.")[0], read(verse, "i\ni,")[0]]] * 3)).tolist() == [
        0.0,
        pytest.approx(UNFINISHED),
    ]


def test_different_letters_have_different_rhymes(read, words, bigrams) -> None:
    verse = Verse(words, (1, 1, 1, 1), "ABAB", bigrams)
    assert read(verse, "cat\ndog\nhat\nfog")[1]
    assert read(verse, "cat\nhat\n")[0] == DEAD and read(verse, "cat\ndog\nhat\nbat\n")[0] == DEAD
    states = np.array([read(verse, text)[0] for text in ("cat\nd", "cat\nb")])
    assert verse.distance(states)[1] >= NEVER > verse.distance(states)[0]
    assert verse.log_chance(states, states, states)[1] == LOWEST


@pytest.mark.parametrize("text", ["cat'i", "cat' i", "cat i\n\nbat"])
def test_no_apostrophe_adds_to_a_word_and_no_line_is_blank(read, words, bigrams, text: str) -> None:
    assert read(Verse(words, (2, 1), "", bigrams), text)[0] == DEAD


@pytest.mark.parametrize("scheme", ["", "AB"])
def test_only_white_space_may_be_above_the_first_line(read, words, bigrams, scheme: str) -> None:
    verse = Verse(words, (2, 1), scheme, bigrams)
    for text in ("\n \nrabbit\ncat", '"Rabbit\ncat', "- \t(rabbit)\ncat"):
        assert read(verse, text)[1]
    for text in (".\n", '"\n', "\n- \n"):
        assert read(verse, text)[0] == DEAD

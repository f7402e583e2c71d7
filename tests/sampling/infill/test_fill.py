import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.config import TokenizerConfig
from charlm.errors import ConfigError, UnknownCharacterError
from charlm.sampling.infill.fill import FillConfig, fill
from charlm.sampling.infill.gap_search import find_extensions, quarters
from charlm.sampling.infill.rerank import log_probabilities
from charlm.tokenizers import ByteTokenizer, CharTokenizer, SubwordTokenizer, Tokenizer

THREE = CharTokenizer("abc")
WIDE = {"beam": 10_000, "candidates": 10_000}


def log_p(model, tokens: list[int], given: int) -> float:
    """Nats of all tokens but the first `given`, token by token."""
    total, states = 0.0, None
    for token, after in itertools.pairwise(tokens):
        logits, states = model(torch.tensor([[token]]), states)
        given -= 1
        if given <= 0:
            total += torch.log_softmax(logits[-1, 0], dim=-1)[after].item()
    return total


def texts_of(letters: str, least: int, most: int) -> list[str]:
    return ["".join(text) for size in range(least, most + 1) for text in itertools.product(letters, repeat=size)]


def by_hand(tokenizer: Tokenizer, forward, backward, left: str, right: str, texts: list[str]) -> dict[str, float]:
    """The score of each text; for tokenizers whose tokens never span the edge of a side."""
    bos = tokenizer.bos
    sides = [len(tokenizer.encode(side)) for side in (left, right)]
    scores = {}
    for text in texts:
        whole = tokenizer.encode(left + text + right).tolist()
        ahead = log_p(forward, [bos, *whole], 1 + sides[0])
        behind = log_p(backward, [bos, *whole[::-1]], 1 + sides[1])
        scores[text] = (ahead + behind) / 2
    return scores


@pytest.mark.parametrize(("left", "right"), [("", "a"), ("ab", "ca"), ("c", "bb")])
@pytest.mark.parametrize(("least", "most"), [(0, 4), (3, 3), (1, 2)])
def test_a_wide_search_finds_what_trying_all_texts_finds(uneven, left: str, right: str, least: int, most: int) -> None:
    forward, backward = uneven(THREE, "lstm"), uneven(THREE, "gru")
    scores = by_hand(THREE, forward, backward, left, right, texts_of("abc", least, most))
    config = FillConfig(length=most, min_length=least, **WIDE)
    found = fill(forward, backward, THREE, left=left, right=right, num=1000, config=config)
    assert {one.text: pytest.approx(one.score, rel=1e-4) for one in found} == scores
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert found[0].text == max(scores, key=lambda text: scores[text])


@settings(max_examples=25)
@given(st.integers(0, 1000), st.text("abc", max_size=3), st.text("abc", min_size=1, max_size=3))
def test_the_best_of_any_models_is_found(bigrams, seed: int, left: str, right: str) -> None:
    forward, backward = bigrams(6, seed), bigrams(6, seed + 1)
    scores = by_hand(THREE, forward, backward, left, right, texts_of("abc", 0, 4))
    config = FillConfig(length=4, min_length=0, **WIDE)
    found = fill(forward, backward, THREE, left=left, right=right, num=1, config=config)
    assert found[0].score == pytest.approx(max(scores.values()), rel=1e-4, abs=1e-4)


def test_both_figures_are_those_of_the_models(uneven, letters) -> None:
    forward, backward = uneven(letters, "lstm"), uneven(letters, "gru")
    found = fill(forward, backward, letters, left="abc", right="fed", num=7, config=FillConfig(length=6, min_length=2))
    assert len({one.text for one in found}) == len(found) == 7
    for one in found:
        assert 2 <= len(one.text) <= 6
        whole = letters.encode("abc" + one.text + "fed").tolist()
        assert one.forward == pytest.approx(log_p(forward, [letters.bos, *whole], 4), rel=1e-4)
        assert one.backward == pytest.approx(log_p(backward, [letters.bos, *whole[::-1]], 4), rel=1e-4)
        assert one.score == (one.forward + one.backward) / 2
        values = {"text": one.text, "score": one.score, "forward": one.forward, "backward": one.backward}
        assert one.to_json() == values


def test_tokens_of_several_letters_may_span_the_edges_of_the_gap(uneven, word_tokenizer) -> None:
    """The right text begins with what the token "ab" ends with: a text that ends with "a" is split as no side shows."""
    words = word_tokenizer("a", "b", "ab", "bba")
    forward, backward = uneven(words, "lstm"), uneven(words, "gru")
    every = texts_of("ab", 0, 5)
    config = FillConfig(length=5, min_length=0, **WIDE)
    found = fill(forward, backward, words, left="ba", right="ba", num=1000, config=config)
    assert {one.text for one in found} == set(every)
    wholes = {text: [0, *words.encode("ba" + text + "ba").tolist()] for text in every}
    scores = {
        text: (log_p(forward, whole, 1) + log_p(backward, [0, *whole[:0:-1]], 1)) / 2 for text, whole in wholes.items()
    }
    differences = [one.score - scores[one.text] for one in found]  # what is given to all
    assert max(differences) == pytest.approx(min(differences), abs=1e-3)


def test_the_middle_of_a_chain_is_found_by_a_narrow_search(chain, letters) -> None:
    """Each letter sure to follow the last: between ab and ef only cd can stand."""
    found = fill(*chain("abcdef", letters), letters, left="ab", right="ef", config=FillConfig(length=4, beam=2))
    assert found[0].text == "cd"
    assert found[0].score > -0.1


@pytest.fixture(scope="session")
def chain(bigrams):
    """Make two models that know one text, whose tokens all differ from the ones before, from either side."""

    def chain(text: str, tokenizer: Tokenizer):
        size = tokenizer.vocab_size
        table = torch.full((size, size), -8.0)
        for token, after in itertools.pairwise(tokenizer.encode(text).tolist()):
            table[token, after] = 8.0
        models = bigrams(size), bigrams(size)
        models[0].table, models[1].table = table, table.T.clone()
        return models

    return chain


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), CharTokenizer("".join(sorted("aé日𝄞z")))])
def test_lengths_are_counted_in_characters(chain, tokenizer: Tokenizer) -> None:
    models = chain("aé日𝄞z", tokenizer)
    for most in (3, 5):
        found = fill(*models, tokenizer, left="a", right="z", config=FillConfig(length=most))
        assert found[0].text == "é日𝄞"
        assert all(1 <= len(one.text) <= most and "\ufffd" not in one.text for one in found)
    shorter = fill(*models, tokenizer, left="a", right="z", config=FillConfig(length=2, min_length=2))
    assert all(len(one.text) == 2 for one in shorter)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from(["", "é", "日本"]), st.sampled_from(["x", "é", "𝄞"]))
def test_no_character_is_torn(bigrams, seed: int, left: str, right: str) -> None:
    """Random models over bytes, which make all bytes alike, find text that is text all the same."""
    tokenizer = ByteTokenizer()
    config = FillConfig(length=3, min_length=2, beam=50, candidates=100)
    models = bigrams(258, seed, spread=3), bigrams(258, seed + 1, spread=3)
    found = fill(*models, tokenizer, left=left, right=right, num=100, config=config)
    assert found and all(2 <= len(one.text) <= 3 and "\ufffd" not in one.text for one in found)


@given(st.text())
def test_a_character_has_four_quarters(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert quarters(data) == sum(quarters(data[at : at + 1]) for at in range(len(data))) == 4 * len(text)


def test_subwords_fill_a_gap_that_breaks_words_off(uneven, sentences: str) -> None:
    tokenizer = SubwordTokenizer.fit([sentences], len(sentences), TokenizerConfig(kind="subword", vocab_size=320))
    forward, backward = uneven(tokenizer), uneven(tokenizer, "gru")
    config = FillConfig(length=8, min_length=3, beam=20, candidates=50)
    found = fill(forward, backward, tokenizer, left="cat and the c", right="wl, a 3 of", num=20, config=config)
    assert len(found) == 20 and all(3 <= len(one.text) <= 8 for one in found)
    assert found == fill(forward, backward, tokenizer, left="cat and the c", right="wl, a 3 of", num=20, config=config)


def test_pieces_are_the_likeliest_of_their_length(uneven) -> None:
    model = uneven(THREE)
    pieces = find_extensions(model, THREE, THREE.encode("ab").tolist(), from_right=True, width=5, length=3)
    assert sorted(pieces) == [0, 1, 2, 3]
    given = [THREE.bos, *THREE.encode("ab").tolist()]
    for length, found in pieces.items():
        assert len(found.data) == min(5, 3**length) and all(len(data) == length for data in found.data)
        rows = [THREE.encode(data.decode()).tolist() for data in found.data]
        assert found.scores == pytest.approx(log_probabilities(model, given, rows), abs=1e-4)


@pytest.mark.parametrize("from_right", [False, True])
def test_a_token_that_the_side_breaks_off_is_one_way_to_go_on(bigrams, word_tokenizer, from_right: bool) -> None:
    """Beside "a" stands "b": as a token of its own, or as what remains of the token of both."""
    words = word_tokenizer("a", "b", "ba" if from_right else "ab")
    a, b, both = 2, 3, 4
    model = bigrams(5, seed=4)
    first, after = model.table.log_softmax(-1)[[words.bos, a]].double()
    ended = torch.logaddexp(first[a], first[both])
    ways = torch.stack([first[both], first[a] + after[b]]) - ended
    (piece,) = [
        found
        for size, found in find_extensions(model, words, [a], from_right=from_right, width=9, length=1).items()
        if size
    ]
    assert piece.scores[piece.data.index(b"b")] == pytest.approx(ways.max().item(), abs=1e-5)


def test_long_sides_and_many_candidates_change_no_figure(uneven) -> None:
    """Beyond some length a side is split apart, and of many texts only the best are read with all of it."""
    tokenizer = CharTokenizer(" abcdef")
    forward, backward = uneven(tokenizer), uneven(tokenizer, "gru")
    left, right = "abc def " * 50, "fed cba " * 50
    config = FillConfig(length=3, candidates=300)
    (best, *_) = fill(forward, backward, tokenizer, left=left, right=right, config=config)
    ((text, score),) = by_hand(tokenizer, forward, backward, left, right, [best.text]).items()
    assert (text, pytest.approx(score, rel=1e-4)) == (best.text, best.score)


def test_what_can_not_be_filled_is_an_error(uneven, letters) -> None:
    model = uneven(letters)
    with pytest.raises(ConfigError, match="--right is empty"):
        fill(model, model, letters, left="a", right="")
    with pytest.raises(ConfigError, match="has no character that the model knows"):
        fill(model, model, letters, left="a", right="xyz", config=FillConfig(unknown="skip"))
    with pytest.raises(UnknownCharacterError, match="'x'"):
        fill(model, model, letters, left="x", right="a")
    with pytest.raises(ConfigError, match="--num is 0"):
        fill(model, model, letters, left="a", right="b", num=0)
    with pytest.raises(ConfigError, match="--min-length is 5; it must be at most --length, 4"):
        FillConfig(length=4, min_length=5)
    with pytest.raises(ConfigError, match="--length is 1001"):
        FillConfig(length=1001)
    with pytest.raises(ConfigError, match="--beam is 0"):
        FillConfig(beam=0)
    with pytest.raises(ConfigError, match="--candidates is 0"):
        FillConfig(candidates=0)

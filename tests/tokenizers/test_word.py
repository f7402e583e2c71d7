import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import TokenizerConfig
from charlm.data.documents import Part, whole_words
from charlm.errors import ConfigError, TokenizerError
from charlm.tokenizers import fit_tokenizer, tokenizer_from_json
from charlm.tokenizers.word import WordTokenizer
from charlm.tokenizers.word_split import last_border, pattern_of

PREPARED = " \n = Tea = \n \n The <unk> of tea is <unk> , and the cup is hot . \n Tea is hot . \n"
ANY_TEXT = st.text(st.one_of(st.sampled_from("ab'.,1\u0301 \t\r\n-中é_<>"), st.characters(blacklist_categories=["Cs"])))
SPLITS = pytest.mark.parametrize("split", ["whitespace", "unicode"])


def fit(text: str, **settings) -> WordTokenizer:
    tokenizer = fit_tokenizer([text], len(text), TokenizerConfig(kind="word", **settings))
    assert isinstance(tokenizer, WordTokenizer)
    return tokenizer


def words(text: str, tokenizer: WordTokenizer) -> list[str]:
    return [tokenizer.token_bytes(int(token)).decode() for token in tokenizer.encode(text)]


def test_a_prepared_text_has_the_words_and_line_ends_of_the_papers() -> None:
    tokenizer = fit(PREPARED)
    papers = [word for line in PREPARED.splitlines() for word in [*line.split(), "<eos>"]]
    assert [word.replace("\n", "<eos>").strip() for word in words(PREPARED, tokenizer)] == papers
    assert set(tokenizer.words) == {f" {word}".replace("<eos>", "\n") for word in papers}
    assert tokenizer.words[0] == " \n"  # the most frequent is first


def test_rare_words_of_an_ordinary_text_are_spelled() -> None:
    tokenizer = fit("The cat sat. The cat ran, the dog sat.\n\nThe cat!\n")
    assert set(tokenizer.words) == {"The", " cat", " sat", ".", "\n"}
    assert words("The dog sat.\n", tokenizer) == ["The", *" dog", " sat", ".", "\n"]
    assert words("The dog sat.\n", fit("The cat sat.\n", min_count=1)) == ["The", *" dog", " sat", ".", "\n"]


def test_the_size_of_the_vocabulary_can_be_given() -> None:
    text = "a b b c c c d d d d\n"
    assert set(fit(text, vocab_size=2).words) == {" d", " c"}
    assert set(fit(text, min_count=3).words) == {" d", " c"}
    assert "a" in fit(text, vocab_size=99).words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Can't stop, e.g. 3.14 or 1,000;", ["Can't", " stop", ",", " e.g", ".", " 3.14", " or", " 1,000", ";"]),
        ("“Well—now...”", ["“", "Well", "—", "now", "...", "”"]),
        ("日本 カタ", ["日", "本", " カタ"]),
        ("हिन्दी e\u0301té", ["हिन्दी", " e\u0301té"]),
        ("x  = 1\r\n\r\n\ty \n", ["x", " ", " =", " 1", "\r\n", "\r\n", "\t", "y", " \n"]),
    ],
)
def test_words_end_at_the_boundaries_of_unicode(text: str, expected: list[str]) -> None:
    assert pattern_of("unicode").findall(text) == expected


@SPLITS
@given(text=ANY_TEXT)
def test_the_words_of_a_text_are_the_text(split: str, text: str) -> None:
    assert "".join(pattern_of(split).findall(text)) == text


@SPLITS
@given(text=ANY_TEXT)
def test_a_text_can_be_cut_at_a_border(split: str, text: str) -> None:
    border, found = last_border(text), pattern_of(split).findall
    assert found(text[:border]) + found(text[border:]) == found(text)


@given(texts=st.lists(st.text("ab \n", max_size=30), min_size=1, max_size=6), ends=st.booleans())
def test_parts_are_moved_to_end_between_words(texts: list[str], ends: bool) -> None:
    whole = "".join(texts)
    tokenizer = fit("a b ab\n", min_count=1)
    parts = [(0, Part([text], False)) for text in texts] + [(0, Part([""], True))]
    moved = [part.texts[0] for _, part in whole_words(parts, WordTokenizer)]
    assert "".join(moved) == whole
    np.testing.assert_array_equal(np.concatenate([*map(tokenizer.encode, moved)]), tokenizer.encode(whole))


def test_what_continues_a_spelling_is_told_apart() -> None:
    tokenizer = fit("a cat\n", min_count=1)
    ids = np.concatenate(([tokenizer.bos], tokenizer.encode("a dog  ox cat")))
    assert b"".join(map(tokenizer.token_bytes, ids)) == b"a dog  ox cat"
    continues = tokenizer.continues_spelling(ids[:-1], ids[1:])
    assert [bytes((token,)) for token in ids[1:][continues]] == [b"d", b"o", b"g", b"o", b"x"]
    assert np.count_nonzero(tokenizer.is_spelling(ids)) == 3 + 5


def test_a_text_without_frequent_words_is_refused() -> None:
    with pytest.raises(TokenizerError, match="no word of the text occurs 2 times; give a longer text"):
        fit("once only")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "auto", "words": ["a"]}, "splits by 'auto'"),
        ({"split": "unicode", "words": "ab"}, "no list of words"),
        ({"split": "unicode", "words": ["a", 1]}, "no list of words"),
        ({"split": "unicode", "words": ["a", "a"]}, "distinct words"),
        ({"split": "unicode", "words": [""]}, "distinct words"),
        ({"split": "unicode", "words": ["\ud800"]}, "lone surrogate"),
    ],
)
def test_a_damaged_vocabulary_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        tokenizer_from_json(json.loads(json.dumps({"kind": "word", **values})))


@pytest.mark.parametrize("settings", [{"vocab_size": 0}, {"min_count": 0}, {"word_split": "papers"}])
def test_settings_have_ranges(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        TokenizerConfig(kind="word", **settings)

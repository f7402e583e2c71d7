import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import TokenizerConfig
from charlm.errors import TokenizerError, UnknownCharacterError
from charlm.tokenizers import CharTokenizer, Tokenizer, fit_tokenizer, tokenizer_from_json

TEXT = "".join(
    f"The {word} sat on the mat, and the {word} was {n} years old.\n" for n in range(99) for word in ("cat", "dog")
)


def fit(kind: str, text: str = TEXT, **settings) -> Tokenizer:
    return fit_tokenizer([text[:1000], text[1000:]], len(text), TokenizerConfig(kind=kind, **settings))


TOKENIZERS = {
    "char": fit("char"),
    "byte": fit("byte"),
    "unigram": fit("subword", vocab_size=400, algorithm="unigram"),
    "bpe": fit("subword", vocab_size=400, algorithm="bpe"),
    "words": fit("word"),
    "prepared words": fit("word", word_split="whitespace", vocab_size=20),
}
tokenizers = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)


@tokenizers
@given(text=st.text(st.characters(blacklist_categories=["Cs"])))
def test_every_string_comes_back_or_is_named(tokenizer: Tokenizer, text: str) -> None:
    try:
        ids = tokenizer.encode(text)
    except UnknownCharacterError as error:
        assert tokenizer.kind == "char"
        assert text[error.position] == error.character
        assert error.character not in TEXT
        assert set(text[: error.position]) <= set(TEXT)
        known = "".join(character for character in text if character in TEXT)
        assert tokenizer.decode(tokenizer.encode(text, unknown="skip")) == known
        marked = tokenizer.encode(text, unknown="replace")
        assert [i for i, token in enumerate(marked) if token == tokenizer.unk] == [
            i for i, character in enumerate(text) if character not in TEXT
        ]
        return
    assert tokenizer.decode(ids) == text
    assert b"".join(tokenizer.token_bytes(int(token)) for token in ids) == text.encode()


@tokenizers
@given(texts=st.lists(st.text("The cat\n\u2581 \tq", max_size=20), max_size=5))
def test_many_texts_encode_as_each_does(tokenizer: Tokenizer, texts: list[str]) -> None:
    together = tokenizer.encode_all(texts)
    for ids, text in zip(together, texts, strict=True):
        np.testing.assert_array_equal(ids, tokenizer.encode(text, unknown="replace"))


@tokenizers
@pytest.mark.parametrize(
    "text", ["", "\n\n\n", "  two  spaces ", "a\u2581b\u2581", "<s></s><unk><0x41>", "\u2047", "\t\tmat", "mat\r\n"]
)
def test_what_sentencepiece_would_lose_is_kept(tokenizer: Tokenizer, text: str) -> None:
    if tokenizer.kind == "char":
        tokenizer = CharTokenizer("".join(sorted(set(TEXT + text))))
    assert tokenizer.decode(tokenizer.encode(text)) == text


@tokenizers
def test_a_long_text_without_a_break_comes_back(tokenizer: Tokenizer) -> None:
    text = "mat" * 30_000 + " " * 40_000 + "the cat sat on the mat " * 5_000
    assert tokenizer.decode(tokenizer.encode(text)) == text


@tokenizers
def test_json_gives_the_same_tokenizer_back(tokenizer: Tokenizer) -> None:
    again = tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again.fingerprint() == tokenizer.fingerprint()
    assert (again.vocab_size, again.bos, again.eos, again.unk) == (
        tokenizer.vocab_size,
        tokenizer.bos,
        tokenizer.eos,
        tokenizer.unk,
    )
    np.testing.assert_array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


@tokenizers
def test_special_tokens_write_nothing_and_are_in_no_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_bytes(tokenizer.bos) == tokenizer.token_bytes(tokenizer.eos) == b""
    ids = tokenizer.encode(TEXT)
    assert ids.min() >= 0 and ids.max() < tokenizer.vocab_size
    assert not np.isin(ids, [tokenizer.bos, tokenizer.eos]).any()


@tokenizers
def test_a_lone_surrogate_is_named(tokenizer: Tokenizer) -> None:
    with pytest.raises(UnknownCharacterError, match="position 3"):
        tokenizer.encode("cat\ud800")
    assert tokenizer.decode(tokenizer.encode("cat\ud800s", unknown="skip")) == "cats"
    assert tokenizer.decode(tokenizer.encode("cat\ud800s", unknown="replace")) == "cat\ufffds"


def test_the_vocabulary_is_that_of_the_training_text_alone(dataset_of) -> None:
    dataset = dataset_of("a" * 90 + "bb" + "c" * 8, splits=(90, 2, 8))
    assert dataset.tokenizer.characters == "a"
    assert dataset.valid.facts.unknown_characters == 2
    assert dataset.test.facts.unknown_characters == 8


def test_unseen_characters_are_all_the_others() -> None:
    assert fit("char", "ab").unseen_characters == 0x110000 - 0x800 - 2
    assert TOKENIZERS["byte"].unseen_characters == 0


@pytest.mark.parametrize(
    "values",
    [
        {},
        [],
        {"kind": "words"},
        {"kind": ["char"]},
        {"kind": "char"},
        {"kind": "char", "characters": ""},
        {"kind": "char", "characters": "ba"},
        {"kind": "char", "characters": "aa"},
        {"kind": "char", "characters": "\ud800"},
        {"kind": "char", "characters": ["a"]},
        {"kind": "subword"},
        {"kind": "subword", "model": "?"},
        {"kind": "subword", "model": "AAAA"},
        {"kind": "subword", "model": ""},
    ],
)
def test_a_damaged_tokenizer_is_an_error(values) -> None:
    with pytest.raises(TokenizerError):
        tokenizer_from_json(values)

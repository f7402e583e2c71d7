"""Texts satisfy their constraint, for every tokenizer and however they are written."""

import re

import pytest
import torch

from charlm.errors import ConfigError
from charlm.sampling import SampleConfig, beam_search, generate_chunks, generate_many
from charlm.tokenizers import ByteTokenizer, CharTokenizer

CHARACTERS = CharTokenizer("\n abcdé")
CONSTRAINTS = {
    "contain": ({"must_contain": ("bad", "é")}, r"(?=.*\bbad\b)(?=.*\bé\b).*"),
    "lines": ({"lines": 2}, r"\s*\S[^\n]*\n+[ \n]*\S[^\n]*"),
    "acrostic": ({"acrostic": "ab"}, r"\n*a[^\n]*\n+b[^\n]*"),
    "words": ({"words": ("bad", "cab")}, r"[^\w]*(((bad|cab)[^\w]+)*(bad|cab))?[^\w]*"),
    "both": ({"words": ("bad", "cab", "a"), "must_contain": ("a cab",)}, r"(?=.*\ba cab\b)(\W|\b(bad|cab|a)\b)*"),
}


@pytest.fixture(scope="module", params=["char", "byte", "words"])
def tokenizer(request, word_tokenizer):
    if request.param == "words":
        return word_tokenizer("\n", " ", "a", "b", "c", "d", "é", "ba", "d ", " c", "\nb", "ab", "\na")
    return CHARACTERS if request.param == "char" else ByteTokenizer()


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_text_satisfies_its_constraint(uneven, tokenizer, name: str) -> None:
    settings, expression = CONSTRAINTS[name]
    config = SampleConfig(length=16, prefix_in_output=False, unknown="skip", **settings)
    model = uneven(tokenizer)
    texts = [*generate_many(model, tokenizer, seed=1, num=3, batch=2, prefix="ab", config=config)]
    for text in (*texts, *beam_search(model, tokenizer, width=3, num=2, prefix="ab", config=replaced(config))):
        if name == "words":
            text_words = re.findall(r"\w+", text.text)
            assert {word.lower() for word in text_words} <= {"bad", "cab"}
        assert re.fullmatch(expression, text.text, re.DOTALL | re.IGNORECASE), text.text
        assert text.characters == len(text.text) <= 16


def replaced(config: SampleConfig) -> SampleConfig:
    """The configuration at the temperature of a search."""
    from dataclasses import replace

    return replace(config, temperature=1.0)


def test_a_batch_changes_nothing_and_chunks_are_the_text(uneven) -> None:
    config = SampleConfig(length=20, must_contain=("bad",))
    model = uneven(CHARACTERS)
    alone = [text.text for text in generate_many(model, CHARACTERS, seed=1, num=3, config=config)]
    assert [text.text for text in generate_many(model, CHARACTERS, seed=1, num=3, batch=3, config=config)] == alone
    chunks = generate_chunks(model, CHARACTERS, torch.Generator().manual_seed(2), config=config)
    assert "".join(chunk.text for chunk in chunks) == alone[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"must_contain": ("bad",), "length": 2}, "needs at least 3 characters, but the text may have 2"),
        (
            {"must_contain": ("x",)},
            "--must-contain 'x' has 'x', which this model can't write; change it, or use another model",
        ),
        ({"must_contain": ("ab",), "words": ("bad",)}, "satisfies --words with --must-contain 'ab'"),
        ({"must_contain": ("ab",), "ban": ("b",)}, "satisfies --must-contain 'ab'"),
        ({"lines": 400}, "needs at least 799 characters"),
        ({"acrostic": "abz"}, "satisfies --acrostic 'abz'"),
    ],
)
def test_what_no_text_satisfies_is_an_error(uneven, settings, message: str) -> None:
    config = SampleConfig(**({"length": 30} | settings))
    with pytest.raises(ConfigError, match=message):
        next(generate_many(uneven(CHARACTERS), CHARACTERS, seed=1, num=1, config=config))


def test_a_stop_text_ends_only_what_satisfies_the_constraint(uneven) -> None:
    config = SampleConfig(length=30, must_contain=("bad",), stop=("\n", "a c"), temperature=1.0)
    for text in generate_many(uneven(CHARACTERS), CHARACTERS, seed=1, num=6, batch=6, config=config):
        assert re.search(r"\bbad\b", text.text) and "\n" not in text.text and "a c" not in text.text


def test_a_pattern_ends_where_the_model_goes_on_otherwise(uneven) -> None:
    pytest.importorskip("outlines_core")
    config = SampleConfig(length=30, pattern="[abc]{2,}", temperature=1.0)
    texts = [*generate_many(uneven(CHARACTERS), CHARACTERS, seed=1, num=6, batch=6, config=config)]
    assert all(re.fullmatch("[abc]{2,}", text.text) for text in texts)
    assert {text.ended for text in texts} & {"constraint", "eos"}
    assert all(text.log_probability > -100 for text in texts)


@pytest.mark.parametrize("settings", [{"lines": 2}, {"acrostic": "ab"}])
def test_most_texts_of_some_lines_end_with_a_sentence(bigrams, settings) -> None:
    tokenizer = CharTokenizer("\n .ab")
    model = bigrams(tokenizer.vocab_size, spread=0.0)  # a quarter of its lines end with a full stop
    model.table[:, tokenizer.eos] = -20
    config = SampleConfig(length=100, temperature=1.0, **settings)
    texts = [text.text for text in generate_many(model, tokenizer, seed=1, num=40, batch=40, config=config)]
    assert sum(text.rstrip().endswith(".") for text in texts) >= 30


def test_a_search_prefers_a_whole_sentence(bigrams) -> None:
    tokenizer = CharTokenizer("\n .ab")
    model = bigrams(tokenizer.vocab_size, spread=0.0)
    dot, newline, *others = (int(tokenizer.encode(letter)[0]) for letter in ".\nab")
    model.table[:, [tokenizer.eos, tokenizer.bos, dot]] = torch.tensor([-20.0, -20.0, -2.0])
    model.table[others, newline] = 1.0
    settings = {"length": 20, "lines": 1, "temperature": 1.0}
    text = beam_search(model, tokenizer, width=8, config=SampleConfig(**settings))[0].text
    assert text.endswith(".")

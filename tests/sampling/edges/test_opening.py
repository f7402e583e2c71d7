from dataclasses import replace

import pytest

from charlm.config import CorpusConfig
from charlm.sampling.config import SampleConfig
from charlm.sampling.edges.opening import needs_opening
from charlm.storage.provenance import TextFacts

LONG = "x" * 90


@pytest.fixture
def cycle(bigrams, word_tokenizer, write_texts):
    """Write texts with a model that repeats a sequence of distinct tokens for ever."""

    def cycle(*tokens: str, num: int = 1, opening: bool = True, **settings) -> list[str]:
        tokenizer = word_tokenizer(*tokens)
        model = bigrams(tokenizer.vocab_size)
        model.table[:] = -50.0
        model.table[0, 2] = 50.0
        for index in range(len(tokens)):
            model.table[2 + index, 2 + (index + 1) % len(tokens)] = 50.0
        return [text.text for text in write_texts(model, tokenizer, num, opening=opening, **settings)]

    return cycle


@pytest.mark.parametrize(
    ("tokens", "begins"),
    [
        (("ddle", " of.", " A", LONG, "\n\n", "Par", " graph"), "Par graph"),
        (("ddle", LONG, "y" * 90, " of.", " A", " sentence"), "A sentence"),
        (("ddle", LONG, "y" * 90, "\n", "li", "ne"), "line"),
        (("ddle", LONG, "y" * 90, " wo", "rd"), "word"),
        (("开头", LONG, "y" * 90, "无。", "春", "逐"), "春逐"),
    ],
)
def test_a_text_begins_where_a_passage_does(cycle, tokens: tuple[str, ...], begins: str) -> None:
    assert cycle(*tokens, length=len(begins)) == [begins]
    assert cycle(*tokens, length=4, opening=False) == ["".join(tokens)[:4]]


def test_without_any_blank_a_text_begins_where_the_model_does(cycle) -> None:
    assert cycle("mi", "ddle", length=6) == ["middle"]


def test_the_end_of_the_document_is_no_opening(cycle, bigrams, letters, write_texts) -> None:
    model = bigrams(letters.vocab_size)
    model.table[:, letters.eos] += 3.0
    plain = write_texts(model, letters, 40)
    opened = write_texts(model, letters, 40, opening=True)
    assert {text.ended for text in (*plain, *opened)} == {"eos"}
    assert any(text.text for text in opened)


def test_texts_are_the_same_in_any_batch_and_begin_differently(cycle, bigrams, word_tokenizer, write_texts) -> None:
    tokenizer = word_tokenizer("a", "b", " ", ". ", "\n\n")
    model = bigrams(tokenizer.vocab_size)
    many = [text.text for text in write_texts(model, tokenizer, 6, opening=True, length=20)]
    assert len(set(many)) == 6
    assert all(text[:1].strip() for text in many if text)
    greedy = write_texts(model, tokenizer, 3, opening=True, length=20, temperature=0)
    assert len({text.text for text in greedy}) == 1


def test_a_prefix_needs_no_opening(cycle) -> None:
    assert cycle("ddle", " of.", "\n\n", "Par", prefix="ddle", length=4) == ["ddle of."]


@pytest.mark.parametrize(
    ("documents", "characters", "needed"), [(1, 10**6, True), (1, 100, False), (300, 10**6, False), (0, 0, False)]
)
def test_only_a_model_of_few_long_documents_needs_one(documents: int, characters: int, needed: bool) -> None:
    facts = TextFacts(
        name="text",
        bytes=characters,
        characters=characters,
        documents=documents,
        sha256="",
        config=CorpusConfig(),
        boundaries=(0, 0, characters),
    )
    assert needs_opening(facts) is needed
    pairs = CorpusConfig(documents="record", source_column="a", target_column="b")
    assert not needs_opening(replace(facts, config=pairs))
    assert not needs_opening(None)


SENTENCES = ("A", " short", " one.", "\n")


@pytest.mark.parametrize(
    ("tokens", "settings", "end"),
    [
        (SENTENCES, {}, " one."),
        (SENTENCES, {"length": 404}, "A"),
        (SENTENCES, {"min_length": 900}, " one."),
        (("a line without marks", "\n"), {}, "marks"),
        (("ab", " cd"), {}, " cdab"),
        (("ab", "cd"), {}, "cd"),
    ],
)
def test_a_text_without_a_length_ends_with_a_passage(cycle, tokens, settings, end: str) -> None:
    (text,) = cycle(*tokens, opening=False, **settings)
    least = settings.get("length", max(400, settings.get("min_length", 0)))
    assert least <= len(text) <= settings.get("length", least + 200)
    assert text.endswith(end)


def test_a_long_sentence_ends_with_a_word(cycle) -> None:
    (text,) = cycle("End.", *(f" {letter * 49}" for letter in "abcdefghijklmnopqrst"), opening=False)
    assert 550 <= len(text) <= 600 and len(text.split()[-1]) == 49


def test_a_ramp_reaches_its_end_at_the_usual_length() -> None:
    config = SampleConfig()
    assert (config.max_length, config.may_end_with_unit, config.temperature) == (600, 400, 0.8)
    assert SampleConfig(length=7).may_end_with_unit is None and SampleConfig(until_eos=True).may_end_with_unit is None

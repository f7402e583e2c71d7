import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import TokenizerConfig
from charlm.data.documents import Part
from charlm.evaluation.comparison import SEED_DEVIATION, compare, difference
from charlm.evaluation.nats import token_nats
from charlm.evaluation.score import evaluate
from charlm.evaluation.words import count_words

BOTTLES = "".join(f"{n} bottles of beer on the wall, {n} böttles — of beer.\n" for n in range(60))


@pytest.mark.parametrize("documents", ["file", "line"])
def test_the_nats_of_the_characters_add_up_to_the_score(dataset_of, network_for, documents: str) -> None:
    datasets = [
        dataset_of(BOTTLES, TokenizerConfig(kind=kind, vocab_size=350), documents=documents, splits=(60, 20, 20))
        for kind in ("char", "byte", "subword")
    ]
    networks = [(network_for(dataset), dataset.tokenizer) for dataset in datasets]
    found = compare(networks, datasets[0].corpus, "test")
    for dataset, (model, tokenizer), nats in zip(datasets, networks, found.nats, strict=True):
        exact = evaluate(model, tokenizer, dataset.test)
        assert len(nats) == exact.characters == found.characters == found.lengths.sum()
        assert nats.sum() == pytest.approx(exact.nats, rel=1e-5)
    assert sum(found.documents_won()) == len(found.lengths) == exact.documents
    totals = [nats.sum() for nats in found.nats]
    assert totals[found.best] == min(totals)


def test_a_token_counts_where_it_ends(dataset_of, network_for) -> None:
    """The characters of two bytes are two tokens, whose nats are those of one character."""
    dataset = dataset_of(BOTTLES, TokenizerConfig(kind="byte"), splits=(60, 20, 20))
    model = network_for(dataset)
    found = compare([(model, dataset.tokenizer)], dataset.corpus, "valid")
    part = dataset.valid
    tokens = token_nats(model, dataset.tokenizer, part)[1:]  # without BOS
    place = found.text.index("ö")
    assert place < found.text.index("—")
    assert found.nats[0][:place] == pytest.approx(tokens[:place])
    assert found.nats[0][place] == pytest.approx(tokens[place] + tokens[place + 1])
    assert found.nats[0][place + 1] == pytest.approx(tokens[place + 2])


def test_an_unknown_character_costs_what_it_does_in_evaluate(dataset_of, network_for) -> None:
    dataset = dataset_of("abc " * 300 + "é" * 40, splits=(60, 20, 20))
    model = network_for(dataset)
    exact = evaluate(model, dataset.tokenizer, dataset.test)
    assert exact.unknown_characters == 40
    found = compare([(model, dataset.tokenizer)], dataset.corpus, "test")
    assert found.nats[0].sum() == pytest.approx(exact.nats, rel=1e-6)


def test_a_difference_is_clear_if_it_is_one_and_not_if_it_is_noise() -> None:
    rng = np.random.default_rng(4)
    noise = np.repeat(rng.normal(0, 0.3, 400), 100)  # neighbours are alike
    noise -= noise.mean()
    same, other = difference(noise, np.zeros(40_000)), difference(noise + 0.1, np.zeros(40_000))
    assert same.low < 0 < same.high and not same.is_clear
    assert 0 < other.low < other.mean < other.high and other.is_clear
    assert other.text_high - other.text_low == pytest.approx(2 * 1.96 * 0.3 / math.sqrt(400), rel=0.2)


def test_a_difference_that_another_seed_can_make_is_clear_on_the_text_alone() -> None:
    """The second model needs as much less for every character, so that other texts would give the same."""
    nats = np.random.default_rng(5).exponential(1.0, 40_000)
    usual = SEED_DEVIATION * math.sqrt(2) * nats.mean()
    small, large = difference(nats, nats - usual), difference(nats, nats - 3 * usual)
    assert small.is_clear_on_the_text and not small.is_clear
    assert large.is_clear_on_the_text and large.is_clear
    assert small.high - small.low == pytest.approx(2 * 1.96 * usual, rel=0.02)


@pytest.mark.parametrize("passages", [40, 400])
def test_ninety_five_in_a_hundred_intervals_hold_the_mean(passages: int) -> None:
    rng, held = np.random.default_rng(2), 0
    for _ in range(100):
        nats = np.repeat(rng.normal(0.05, 0.3, passages), 50)
        held += (found := difference(nats, np.zeros(len(nats)))).text_low <= 0.05 <= found.text_high
    assert 88 <= held <= 99


@pytest.mark.parametrize("characters", [1, 2, 999])
def test_a_text_that_is_too_short_tells_nothing(characters: int) -> None:
    found = difference(np.full(characters, 3.0), np.full(characters, 1.0))
    assert found.mean == 2 and not found.is_clear and not found.is_clear_on_the_text
    assert found.low == found.text_low == -math.inf and found.high == found.text_high == math.inf
    assert difference(np.full(1000, 3.0), np.full(1000, 1.0)).is_clear


def test_ten_blocks_give_the_interval_of_students_t() -> None:
    """It is 2.262 standard deviations of the mean to either side, on average, and 1.96 with many blocks."""
    rng = np.random.default_rng(3)
    for characters, quantile in ((1000, 2.262), (100_000, 1.96)):
        found = [difference(rng.normal(0, 0.3, characters), np.zeros(characters)) for _ in range(60)]
        width = np.mean([one.text_high - one.text_low for one in found])
        assert width / (2 * 0.3 / math.sqrt(characters)) == pytest.approx(quantile, rel=0.05)


def test_words_are_those_of_the_papers() -> None:
    assert count_words([Part([" = Title = \n \n Two words .\n"], True)]) == 3 + 3 + 3
    assert count_words([Part(["one line", "another one"], True)]) == 6
    assert count_words([Part(["no line end\nlast"], True)]) == 4 + 2


@given(documents=st.lists(st.text(st.sampled_from("ab \n\r\u2028\u3000\x1c"), min_size=1)), size=st.integers(1, 3))
def test_words_are_the_same_wherever_a_text_is_cut(documents: list[str], size: int) -> None:
    expected = sum(len(document.split()) + max(1, len(document.splitlines())) for document in documents)
    assert count_words([Part(documents, True)] if documents else []) == expected
    parts = [
        Part([document[start : start + size]], start + size >= len(document))
        for document in documents
        for start in range(0, len(document), size)
    ]
    assert count_words(parts) == expected

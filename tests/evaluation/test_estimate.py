import numpy as np
import pytest

from charlm.evaluation.estimate import SplitSample
from charlm.evaluation.score import evaluate


@pytest.fixture(scope="module")
def words() -> str:
    """A text of 300 made-up words, whose loss varies from passage to passage."""
    rng = np.random.default_rng(1)
    known = ["".join(map(chr, rng.integers(97, 123, size))) for size in rng.integers(2, 9, 300)]
    shares = 1 / np.arange(1, 301)
    return " ".join(np.array(known)[rng.choice(300, 12_000, p=shares / shares.sum())])


def test_a_whole_split_has_the_score_of_evaluate_and_no_margin(dataset_of, network_with_prior, words: str) -> None:
    dataset = dataset_of(words, splits=(60, 40, 0))
    model = network_with_prior(dataset)
    exact = evaluate(model, dataset.tokenizer, dataset.valid)
    sample = SplitSample(dataset.valid, dataset.tokenizer, tokens=10**9, ngram=model.prior.ngram)
    found = sample.estimate(model)
    assert (found.margin, found.tokens) == (0.0, exact.tokens)
    assert found.nats_per_token == pytest.approx(exact.nats_per_token, abs=1e-5)


def test_unknown_characters_cost_what_they_do_in_evaluate(dataset_of, network_with_prior, words: str) -> None:
    dataset = dataset_of(words + "ÄÖÜ" * 50, splits=(60, 40, 0))
    model = network_with_prior(dataset)
    exact = evaluate(model, dataset.tokenizer, dataset.valid)
    sample = SplitSample(dataset.valid, dataset.tokenizer, tokens=10**9, ngram=None)
    assert exact.unknown_characters == 150
    assert sample.estimate(model).nats_per_token == pytest.approx(exact.nats_per_token, abs=1e-5)


@pytest.mark.parametrize("documents", ["file", "line"])
def test_a_sample_is_close_and_the_n_grams_make_it_closer(
    dataset_of, network_with_prior, words: str, documents: str
) -> None:
    text = words if documents == "file" else words.replace(" a", "\na").replace(" k", "\nk")
    dataset = dataset_of(text, documents=documents, splits=(50, 50, 0))
    model = network_with_prior(dataset)
    exact = evaluate(model, dataset.tokenizer, dataset.valid).nats_per_token
    plain, closer = (
        SplitSample(dataset.valid, dataset.tokenizer, tokens=3000, ngram=control).estimate(model)
        for control in (None, model.prior.ngram)
    )
    assert abs(closer.nats_per_token - exact) < 1.5 * closer.margin
    assert abs(plain.nats_per_token - exact) < 1.5 * plain.margin
    assert 0 < closer.margin < plain.margin / 2
    assert closer.tokens == pytest.approx(3000, rel=0.1)


def test_a_row_may_span_windows_and_the_n_grams_be_counted_on_stretches(
    dataset_of, network_with_prior, words: str
) -> None:
    dataset = dataset_of(words, splits=(50, 50, 0))
    model = network_with_prior(dataset)

    def estimate(**sizes: int) -> float:
        sample = SplitSample(dataset.valid, dataset.tokenizer, tokens=3000, ngram=model.prior.ngram, **sizes)
        return sample.estimate(model).nats_per_token

    whole = estimate()
    assert estimate(width=50) == pytest.approx(whole, abs=1e-5)
    assert 0 < abs(estimate(width=50, ngram_tokens=20_000) - whole) < 0.05


def test_ninety_five_in_a_hundred_intervals_hold_the_score(dataset_of, network_with_prior, words: str) -> None:
    """Of samples of many different sizes."""
    dataset = dataset_of(words, splits=(50, 50, 0))
    model = network_with_prior(dataset)
    exact = evaluate(model, dataset.tokenizer, dataset.valid).nats_per_token
    held = 0
    for tokens in range(1000, 3000, 40):
        found = SplitSample(dataset.valid, dataset.tokenizer, tokens=tokens, ngram=model.prior.ngram).estimate(model)
        held += abs(found.nats_per_token - exact) <= found.margin
    assert held >= 42  # of 50; 47.5 are expected, and neighbours share tokens

"""Pruning: what is left is a distribution, its costs are relative entropies, and what is needed stays."""

import numpy as np
import pytest

from charlm.export.pruning import pruned, pruning_costs
from charlm.ngram.model import NgramModel


@pytest.fixture(scope="module")
def model() -> NgramModel:
    """Trigrams of a random text of 6 tokens, in documents that begin with token 0."""
    rng = np.random.default_rng(5)
    text = rng.choice(6, size=400, p=[0.02, 0.4, 0.25, 0.15, 0.1, 0.08])
    text[0] = 0
    return NgramModel.fit(text, order=3, vocab_size=6, bos=0)


def test_costs_are_relative_entropies_of_what_changes(model: NgramModel) -> None:
    costs = pruning_costs(model, np.zeros(0, np.int64))
    parent = int(costs.parents[np.flatnonzero(costs.parents < 6)[-1]])  # a single token as context
    for index in np.flatnonzero(costs.parents == parent):
        kept = np.ones(len(costs.nats), bool)
        kept[index] = False
        token = int(model.trie.keys[index] % 6)
        before = model.distribution([parent])
        after = before - np.eye(6)[token] * model.estimates.weights[index]
        after = after + model.estimates.weights[index] * model.estimates.unigrams
        seen = before > 0
        exact = float((before[seen] * np.log(before[seen] / after[seen])).sum()) * model.estimates.unigrams[parent]
        assert costs.nats[index] == pytest.approx(exact, rel=0.35, abs=1e-6)


def test_what_is_left_is_a_distribution_and_keeps_what_costs_most(model: NgramModel) -> None:
    costs = pruning_costs(model, np.zeros(0, np.int64))
    smaller = pruned(costs, float(np.median(costs.nats)))
    assert 0 < smaller.num_ngrams < model.num_ngrams
    for history in ([], [0], [1], [1, 2], [3, 3], [5, 4], [0, 1]):
        assert smaller.distribution(history).sum() == pytest.approx(1, abs=1e-5)
    assert pruned(costs, 0.0).num_ngrams == model.num_ngrams
    assert pruned(costs, np.inf).distribution([1, 2]) == pytest.approx(model.estimates.unigrams, abs=1e-6)


def test_needed_n_grams_stay_in_their_order(model: NgramModel) -> None:
    needed = model.frequent[:5]
    smaller = pruned(pruning_costs(model, needed), np.inf)
    assert [smaller.tokens_of(node) for node in smaller.frequent[:5]] == [model.tokens_of(node) for node in needed]

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from charlm.ngram import mixture
from charlm.ngram.counts import count_ngrams
from charlm.ngram.kneser_ney import Estimates
from charlm.ngram.mixture import NgramQuery
from charlm.ngram.model import NgramModel, build_trie
from charlm.ngram.trie import compiled_lookup

BOS = 0


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Look-ups by compiled code, then by numpy."""
    if request.param and compiled_lookup() is None:
        pytest.skip("no C compiler here")
    if not request.param:
        monkeypatch.setattr(mixture, "compiled_lookup", lambda: None)
    return bool(request.param)


def text_of(vocab_size: int, size: int, seed: int = 1) -> np.ndarray:
    """A text in which some n-grams come again, of three documents."""
    rng = np.random.default_rng(seed)
    ids = 1 + (vocab_size - 1) * rng.random(size) ** 3
    ids[:: size // 3] = BOS
    return ids.astype(np.int64)


def models_of(ids: np.ndarray, order: int, vocab_size: int, folds: int, **settings: int) -> list[NgramModel]:
    """The model of a text, and those without each fold of it."""
    counts = count_ngrams(ids, order=order, vocab_size=vocab_size, bos=BOS)
    return NgramModel.cross_fitted(counts, folds, **settings)


def expected(model: NgramModel, states: np.ndarray, order: int) -> np.ndarray:
    shorter = np.where(np.arange(states.shape[1]) < order - 1, states, -1)
    return np.log(np.maximum(model.probabilities(shorter), 1e-12))


@pytest.mark.parametrize("vocab_size", [2, 7, 68, 3000])
@pytest.mark.parametrize(("order", "orders"), [(1, [1]), (2, [1, 2]), (5, [3, 5]), (5, [2])])
@pytest.mark.usefixtures("either")
def test_each_row_is_what_the_model_that_it_asks_says_alone(vocab_size: int, order: int, orders: list[int]) -> None:
    ids = text_of(vocab_size, 600)
    models = models_of(ids, order, vocab_size, 4, max_ngrams=900)
    whole = models[0]
    rng = np.random.default_rng(2)
    text = np.stack([ids[:30], ids[190:220], rng.integers(0, vocab_size, 30)], axis=1)
    states = np.concatenate([whole.no_context(2), whole.advance(whole.no_context(3), text).reshape(90, order - 1)])
    which = rng.integers(0, 5, len(states))
    asked = NgramQuery(states, models, which)
    log_p = np.stack(
        [expected(models[model], states[row : row + 1], o)[0] for o in orders for row, model in enumerate(which)]
    )
    log_p = log_p.reshape(len(orders), 92, vocab_size).transpose(1, 0, 2)
    assert_allclose(asked.log_probabilities(orders), log_p, rtol=1e-6, atol=1e-6)
    assert_allclose(log_p[..., BOS], np.log(1e-12), rtol=1e-6)
    order_weights = rng.normal(size=(92, len(orders))).astype(np.float32)
    mixed, kept = asked.mixture(orders, order_weights, keep=True)
    assert mixed.dtype == kept.dtype == np.float32
    assert_allclose(kept, log_p, rtol=1e-6, atol=1e-6)
    alike, nothing = asked.mixture(orders, order_weights)
    assert_allclose(alike, mixed, rtol=1e-6, atol=1e-5)
    assert nothing is None
    assert_allclose(mixed, np.einsum("nj,njv->nv", order_weights, log_p), rtol=1e-5, atol=1e-4)
    tokens = rng.permutation(vocab_size)[: vocab_size // 2 + 1]
    some, kept_of_some = asked.mixture(orders, order_weights, tokens=tokens, keep=True)
    assert_allclose(some, mixed[:, tokens], rtol=1e-6, atol=1e-5)
    assert_allclose(kept_of_some, kept[..., tokens], rtol=1e-6, atol=1e-6)
    depths = asked.known_contexts()
    assert depths[:2].tolist() == [0, 0]
    for index, model in enumerate(models):
        rows = which == index
        alone = NgramQuery(states[rows], [model], np.zeros(rows.sum(), dtype=np.int64))
        assert np.array_equal(alone.mixture(orders, order_weights[rows], keep=True)[0], mixed[rows])
        assert np.array_equal(alone.known_contexts(), depths[rows])


@pytest.mark.usefixtures("either")
def test_depth_counts_the_contexts_that_the_model_itself_has_seen() -> None:
    models = models_of(np.array([BOS, *[1, 2, 3, 4] * 5, *[5, 6, 7, 8] * 5]), 4, 9, 2)
    states = models[0].advance(models[0].no_context(1), np.array([[5], [6], [7]]))[:, 0]
    for which, depths in (([0, 0, 0], [1, 2, 3]), ([2, 2, 2], [0, 0, 0]), ([1, 2, 0], [1, 0, 3])):
        assert NgramQuery(states, models, np.array(which)).known_contexts().tolist() == depths
    assert NgramQuery(states[:0], models, np.zeros(0, dtype=np.int64)).known_contexts().tolist() == []


@pytest.mark.usefixtures("either")
def test_logarithms_are_right_to_rounding() -> None:
    rng = np.random.default_rng(3)
    near_one = 1 - rng.random(20_000) * 2.0 ** -rng.integers(1, 24, 20_000)
    singles = np.concatenate([[0, 1e-30, 1e-12, 1], np.exp(-28 * rng.random(50_000)), near_one]).astype(np.float32)
    model = NgramModel(
        trie=build_trie(np.zeros(0, np.int64), len(singles), 1, 0),
        bos=BOS,
        estimates=Estimates(singles, np.zeros(0, "f4"), np.zeros(0, "f4")),
        frequent=np.zeros(0, "i4"),
    )
    asked = NgramQuery(model.no_context(1), [model], np.zeros(1, dtype=np.int64))
    log_p = asked.mixture([1], np.ones((1, 1), dtype=np.float32))[0][0].astype(np.float64)
    exact = np.log(np.maximum(singles.astype(np.float64), 1e-12))
    assert np.all(np.abs(log_p - exact) <= 2**-22 * np.abs(exact))


def test_threads_change_nothing() -> None:
    models = models_of(text_of(500, 3000), 3, 500, 2)
    states = models[0].advance(models[0].no_context(1), text_of(500, 90, seed=5)[:, None])[:, 0]
    asked = NgramQuery(states, models, np.arange(90) % 3)
    order_weights = np.random.default_rng(1).normal(size=(90, 2)).astype(np.float32)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(asked.mixture([2, 3], order_weights, keep=True))
    finally:
        torch.set_num_threads(before)
    (mixed, kept), (same, alike) = found
    assert np.array_equal(mixed, same) and np.array_equal(kept, alike)
    assert_allclose(mixed, asked.mixture([2, 3], order_weights.astype(np.float64))[0], rtol=1e-5, atol=1e-4)

import numpy as np
import pytest

from charlm import ngram
from charlm.ngram import NgramModel
from charlm.ngram_counts import count_ngrams
from charlm.ngram_lookup import compiled

BOS = 0


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Look-ups compiled, then by numpy."""
    if request.param and compiled() is None:
        pytest.skip("no C compiler here")
    if not request.param:
        monkeypatch.setattr(ngram, "compiled", lambda: None)
    return bool(request.param)


def text_of(vocab_size: int, size: int, seed: int = 1) -> np.ndarray:
    """A text in which some n-grams come again, of three documents."""
    rng = np.random.default_rng(seed)
    ids = 1 + (vocab_size - 1) * rng.random(size) ** 3
    ids[:: size // 3] = BOS
    return ids.astype(np.int64)


def expected(model: NgramModel, states: np.ndarray, order: int) -> np.ndarray:
    shorter = np.where(np.arange(states.shape[1]) < order - 1, states, -1)
    return np.log(np.maximum(model.probabilities(shorter), 1e-12))


@pytest.mark.parametrize("vocab_size", [2, 7, 68, 3000])
@pytest.mark.parametrize(("order", "orders"), [(1, [1]), (2, [1, 2]), (5, [3, 5]), (5, [2])])
@pytest.mark.usefixtures("either")
def test_each_row_is_what_the_model_that_it_asks_says_alone(vocab_size: int, order: int, orders: list[int]) -> None:
    ids = text_of(vocab_size, 600)
    counts = count_ngrams(ids, order=order, vocab_size=vocab_size, bos=BOS)
    whole, *folds = NgramModel.without_folds(counts, [None, *(counts.fold(i, 4) for i in range(4))], max_ngrams=900)
    rng = np.random.default_rng(2)
    text = np.stack([ids[:30], ids[190:220], rng.integers(0, vocab_size, 30)], axis=1)
    states = np.concatenate([whole.no_context(2), whole.advance(whole.no_context(3), text).reshape(90, order - 1)])
    which = rng.integers(-1, 4, len(states))
    log_p, depths = whole.log_probabilities(states, orders, folds, which)
    assert log_p.shape == (92, len(orders), vocab_size)
    assert log_p.dtype == np.float32
    assert log_p[..., BOS] == pytest.approx(np.log(1e-12))
    assert depths[:2].tolist() == [0, 0]
    for index, model in enumerate([whole, *folds], start=-1):
        rows = which == index
        alone, deep = model.log_probabilities(states[rows], orders)
        assert np.array_equal(log_p[rows], alone)
        assert np.array_equal(depths[rows], deep)
        for place, lower in enumerate(orders):
            assert alone[:, place] == pytest.approx(expected(model, states[rows], lower), rel=1e-6, abs=1e-6)
    unasked, _ = whole.log_probabilities(states, orders, folds)
    assert np.array_equal(unasked, whole.log_probabilities(states, orders)[0])


@pytest.mark.usefixtures("either")
def test_depth_counts_the_contexts_that_the_model_itself_has_seen() -> None:
    ids = np.array([BOS, *[1, 2, 3, 4] * 5, *[5, 6, 7, 8] * 5])
    counts = count_ngrams(ids, order=4, vocab_size=9, bos=BOS)
    whole, *folds = NgramModel.without_folds(counts, [None, counts.fold(0, 2), counts.fold(1, 2)])
    states = whole.advance(whole.no_context(1), np.array([[5], [6], [7]]))[:, 0]
    assert whole.log_probabilities(states, [4])[1].tolist() == [1, 2, 3]
    assert whole.log_probabilities(states, [4], folds, np.array([1, 1, 1]))[1].tolist() == [0, 0, 0]
    assert whole.log_probabilities(states, [4], folds, np.array([0, 1, -1]))[1].tolist() == [1, 0, 3]
    assert whole.log_probabilities(states[:0], [4])[1].tolist() == []


@pytest.mark.usefixtures("either")
def test_logarithms_are_right_to_rounding() -> None:
    rng = np.random.default_rng(3)
    near_one = 1 - rng.random(20_000) * 2.0 ** -rng.integers(1, 24, 20_000)
    singles = np.concatenate([[0, 1e-30, 1e-12, 1], np.exp(-28 * rng.random(50_000)), near_one]).astype(np.float32)
    model = NgramModel(len(singles), BOS, 1, singles, *(np.zeros(0, kind) for kind in (np.int64, "f4", "f4")))
    log_p = model.log_probabilities(model.no_context(1), [1])[0][0, 0].astype(np.float64)
    exact = np.log(np.maximum(singles.astype(np.float64), 1e-12))
    assert np.all(np.abs(log_p - exact) <= 2**-22 * np.abs(exact))


@pytest.mark.parametrize("node", [-2, 10_000])
def test_a_state_outside_of_the_trie_is_refused(node: int) -> None:
    if compiled() is None:
        pytest.skip("no C compiler here")
    model = NgramModel.fit(text_of(9, 60), order=3, vocab_size=9, bos=BOS)
    state = model.no_context(1)
    state[0, 1] = node
    with pytest.raises(ValueError, match="no n-gram model of this kind"):
        model.advance(state, np.array([[1]]))

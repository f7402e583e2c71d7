import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.native.compiler import compiler
from charlm.ngram import model as ngram
from charlm.ngram.arrays import to_arrays
from charlm.ngram.counts import NgramCounts, count_ngrams, fold_of
from charlm.ngram.model import NgramModel
from charlm.ngram.score import token_nats, total_nats

BOS, EOS, UNK, A, B = range(5)
V = 5
TOY = [[BOS, A, B, A, EOS], [BOS, A, EOS]]


def fit(documents: list[list[int]], order: int, **settings: int) -> NgramModel:
    return NgramModel.fit(joined(documents), order=order, vocab_size=V, bos=BOS, **settings)


def joined(documents: list[list[int]]) -> np.ndarray:
    return np.array([token for document in documents for token in document], dtype=np.uint16)


def along(model: NgramModel, ids: np.ndarray) -> np.ndarray:
    """The states after each token of a text."""
    return model.advance(model.no_context(1), ids[:, None])[:, 0]


def cross_fit(counts: NgramCounts, folds: int, **settings: Any) -> list[NgramModel]:
    """The model of a text, and those without each fold of it."""
    return NgramModel.cross_fitted(counts, folds, **settings)


def test_folds_are_the_same_however_many_are_estimated_at_once() -> None:
    counts = count_ngrams(joined(TOY * 20), order=3, vocab_size=V, bos=BOS)
    told: list[tuple[int, int]] = []
    for one, other in zip(
        cross_fit(counts, 5),
        cross_fit(counts, 5, threads=3, progress=lambda what, done, total: told.append((done, total))),
        strict=True,
    ):
        for name, array in to_arrays(one).items():
            np.testing.assert_array_equal(array, to_arrays(other)[name])
    assert told == [(done, 6) for done in range(1, 7)]


class Oracle:
    """The definition, with dictionaries and recursion. Left out is what occurs less often than `least`, which is given
    for each length from 2 on."""

    def __init__(self, pieces: list[list[int]], order: int, least: Sequence[int] = ()) -> None:
        self.order, self.least = order, [1, *least, *[1] * order]
        self.raw = Counter(
            tuple(piece[start : start + k])
            for piece in pieces
            for k in range(1, order + 1)
            for start in range(len(piece) - k + 1)
        )
        before = defaultdict(set)
        for gram in self.raw:
            before[gram[1:]].add(gram[0])
        self.counts = {}
        for gram, count in self.raw.items():
            if gram[-1] != BOS:
                plain = len(gram) == order or gram[0] == BOS
                self.counts[gram] = count if plain else len(before[gram])
        self.discounts = {}
        for k in range(1, order + 1):
            n = Counter(count for gram, count in self.counts.items() if len(gram) == k)
            self.discounts[k] = [0, 0.5, 1, 1.5]
            if n[1] and n[2] and n[3] and n[4]:
                y = n[1] / (n[1] + 2 * n[2])
                found = [0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
                if min(found[1:]) > 0:
                    self.discounts[k] = found

    def probability(self, token: int, history: tuple[int, ...]) -> float:
        """p(token | history)."""
        if token == BOS:
            return 0.0
        if BOS in history:
            history = history[len(history) - 1 - history[::-1].index(BOS) :]
        return self._interpolated(token, history[max(0, len(history) - self.order + 1) :])

    def _interpolated(self, token: int, history: tuple[int, ...]) -> float:
        shorter = self._interpolated(token, history[1:]) if history else 1 / (V - 1)
        following = {w: self.counts.get((*history, w), 0) for w in range(V)}
        total = sum(following.values())
        if total == 0:
            return shorter
        held = {
            w: count - self.discounts[len(history) + 1][min(count, 3)]
            for w, count in following.items()
            if not history or self.raw[(*history, w)] >= self.least[len(history)]
        }
        return held.get(token, 0) / total + (1 - sum(held.values()) / total) * shorter


letters = st.lists(st.sampled_from([A, B, UNK]), max_size=30)
documents = st.lists(letters.map(lambda text: [BOS, *text, EOS]), min_size=1, max_size=6)
histories = st.lists(st.sampled_from(range(V)), max_size=7).map(tuple)


def test_a_toy_by_hand() -> None:
    # Bigrams: BOS a 2, a b 1, b a 1, a EOS 2. Too few to estimate discounts: 0.5, 1, 1.5 are taken from 1, 2 and more.
    # Before a stand BOS and b, before b and EOS stands a: continuations 2, 1, 1, of which 1, 0.5, 0.5 remain, of 4.
    # The other 2/4 go to a, b, EOS and unk alike, 1/8 each.
    unigram = {BOS: 0, EOS: 1 / 8 + 1 / 8, UNK: 1 / 8, A: 1 / 4 + 1 / 8, B: 1 / 8 + 1 / 8}
    # After a: b 1, EOS 2, of which 0.5 and 1 remain, of 3; the other half backs off.
    after_a = {BOS: 0, EOS: 1 / 3 + 1 / 8, UNK: 1 / 16, A: 3 / 16, B: 1 / 6 + 1 / 8}
    # After BOS: a 2, of which 1 remains, of 2. After b: a 1, of which 0.5 remains, of 1.
    after_bos = {token: p / 2 + (1 / 2 if token == A else 0) for token, p in unigram.items()}
    model = fit(TOY, 2)
    for history, expected in (([], unigram), ([EOS], unigram), ([A], after_a), ([BOS], after_bos), ([B], after_bos)):
        assert model.distribution(history) == pytest.approx([expected[token] for token in range(V)], rel=1e-6)
    # Every trigram occurs once: after BOS a, b and EOS, of which 0.5 each remain, of 2. The bigrams' counts are now the
    # tokens before them, which happen to be as many, but for BOS a: it keeps its 2 though nothing stands before it.
    model = fit(TOY, 3)
    assert model.distribution([BOS, A])[B] == pytest.approx(1 / 4 + after_a[B] / 2, rel=1e-6)
    assert model.distribution([BOS]) == pytest.approx([after_bos[token] for token in range(V)], rel=1e-6)
    nats = -np.log([after_bos[A], 1 / 4 + after_a[EOS] / 2])
    assert token_nats(model, np.array([BOS, A, EOS])) == pytest.approx([0, *nats], rel=1e-6)
    # Of order 1, occurrences count: a 3, EOS 2, b 1 of 6, less 1.5, 1 and 0.5, which are shared by four.
    assert fit(TOY, 1).distribution([A]) == pytest.approx(
        [0, 1 / 6 + 1 / 8, 1 / 8, 1 / 4 + 1 / 8, 1 / 12 + 1 / 8], rel=1e-6
    )


@given(documents, st.integers(1, 5), st.lists(histories, min_size=1, max_size=5))
@settings(max_examples=150)
def test_it_agrees_with_a_slow_oracle(documents, order: int, histories) -> None:
    model, oracle = fit(documents, order), Oracle(documents, order)
    for history in [*histories, *(tuple(document[:4]) for document in documents)]:
        expected = [oracle.probability(token, history) for token in range(V)]
        assert model.distribution(history) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def least_by_hand(raw: Counter, order: int, budget: int) -> list[int]:
    """One by one, from the longest n-grams on, until so few are left."""
    grams = [gram for gram in raw if len(gram) > 1 and BOS not in gram[1:]]
    least = [1] * (order - 1)
    while sum(raw[gram] >= least[len(gram) - 2] for gram in grams) > budget:
        place = max(place for place, often in enumerate(least) if often == min(least))
        least[place] += 1
    return least


@given(documents, st.integers(2, 5), st.integers(0, 40), histories)
def test_a_pruned_model_agrees_with_it_too(documents, order: int, budget: int, history) -> None:
    raw = Oracle(documents, order).raw
    least = least_by_hand(raw, order, budget)
    model = fit(documents, order, max_ngrams=budget)
    kept = [gram for gram in raw if len(gram) > 1 and BOS not in gram[1:] and raw[gram] >= least[len(gram) - 2]]
    assert model.num_ngrams == len(kept) <= budget
    expected = [Oracle(documents, order, least).probability(token, history) for token in range(V)]
    assert model.distribution(history) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@given(st.lists(st.lists(st.sampled_from([A, B]), max_size=20), min_size=1, max_size=4), st.integers(1, 4), histories)
def test_pieces_that_begin_within_a_document_are_not_spanned(pieces, order: int, history) -> None:
    arrays = [np.array(piece, dtype=np.int32) for piece in pieces]
    model = NgramModel.fit(arrays, order=order, vocab_size=V, bos=BOS)
    oracle = Oracle(pieces, order)
    expected = [oracle.probability(token, history) for token in range(V)]
    assert model.distribution(history) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@given(documents, documents, st.integers(1, 6), st.sampled_from([ngram.MAX_NGRAMS, 20, 3]))
def test_probabilities_are_positive_and_sum_to_one(seen, unseen, order: int, budget: int) -> None:
    model = fit(seen, order, max_ngrams=budget)
    rows = model.probabilities(along(model, joined(seen + unseen)))
    assert rows.sum(axis=1) == pytest.approx(np.ones(len(rows)), abs=2e-6)
    assert np.all(rows[:, BOS] == 0) and np.all(rows[:, 1:] > 0)


@given(documents, documents, st.integers(1, 6), st.sampled_from([ngram.MAX_NGRAMS, 20]))
def test_score_is_the_logarithm_of_the_distribution(seen, text, order: int, budget: int) -> None:
    model, ids = fit(seen, order, max_ngrams=budget), joined(text)
    expected = []
    for document in text:
        expected += [0.0, *(-math.log(model.distribution(document[:i])[document[i]]) for i in range(1, len(document)))]
    assert token_nats(model, ids) == pytest.approx(expected, rel=1e-9)
    assert total_nats(model, ids) == pytest.approx(sum(expected), rel=1e-9)


def test_a_long_text_is_scored_in_pieces_that_overlap() -> None:
    ids = joined([[BOS, *np.random.default_rng(1).integers(UNK, V, 200), EOS]] * 2)
    model = NgramModel.fit(ids[:300], order=4, vocab_size=V, bos=BOS)
    whole = token_nats(model, ids)
    for size in (1, 2, 7, 403):
        assert np.array_equal(token_nats(model, ids, chunk=size), whole)
        assert total_nats(model, ids, chunk=size) == pytest.approx(whole.sum())
    assert len(token_nats(model, ids[:0])) == 0


@pytest.mark.parametrize("order", [1, 2, 5])
def test_compiled_and_numpy_look_up_alike(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if compiler() is None:
        pytest.skip("no C compiler here")
    rng = np.random.default_rng(2)
    ids = joined([[BOS, *rng.integers(A, V, 50), EOS], [BOS, A, B, EOS]])
    model = fit([*TOY, ids[:40].tolist()], order)
    before = along(model, rng.integers(0, V, 7))[-3:]
    text = np.stack([ids[:40], ids[3:43], rng.integers(0, V, 40)], axis=1)  # (T, B)
    compiled_states = model.advance(before, text)
    monkeypatch.setattr(ngram, "compiled_lookup", lambda: None)
    assert np.array_equal(model.advance(before, text), compiled_states)


def test_a_state_carries_over() -> None:
    ids = joined([[BOS, *np.random.default_rng(2).integers(A, V, 50), EOS]])
    model = fit([ids.tolist()], 5)
    whole, state = along(model, ids), model.no_context(1)
    for start in range(0, len(ids), 7):
        part = model.advance(state, ids[start : start + 7, None])
        assert np.array_equal(part[:, 0], whole[start : start + 7])
        state = part[-1]


@given(documents, st.integers(1, 5), st.integers(1, 12), st.sampled_from([ngram.MAX_NGRAMS, 20, 3]), st.data())
@settings(max_examples=200)
def test_a_fold_that_is_left_out_is_unknown(documents, order: int, folds: int, budget: int, data) -> None:
    ids = joined(documents)
    folds = min(folds, len(ids))
    counts = count_ngrams(ids, order=order, vocab_size=V, bos=BOS)
    whole, *left_out = cross_fit(counts, folds, max_ngrams=budget)
    assert len(left_out) == folds
    fold = data.draw(st.integers(0, folds - 1))
    outside = fold_of(np.arange(len(ids)), len(ids), folds) != fold
    begins = np.flatnonzero((np.diff(outside, prepend=True) != 0) | (ids == BOS))
    cuts = [*begins.tolist(), len(ids)]
    pieces = [ids[start:end].tolist() for start, end in pairwise(cuts) if outside[start]]
    least = least_by_hand(Oracle(documents, order).raw, order, budget)
    oracle = Oracle(pieces, order, least)
    history = data.draw(histories)
    expected = [oracle.probability(token, history) for token in range(V)]
    assert left_out[fold].distribution(history) == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert np.array_equal(whole.distribution(history), fit(documents, order, max_ngrams=budget).distribution(history))


@given(documents, st.integers(1, 5), st.integers(1, 5), st.sampled_from([ngram.MAX_NGRAMS, 20, 3]))
def test_without_a_fold_probabilities_still_sum_to_one(documents, order: int, folds: int, budget: int) -> None:
    ids = joined(documents)
    counts = count_ngrams(ids, order=order, vocab_size=V, bos=BOS)
    _, *left_out = cross_fit(counts, folds, max_ngrams=budget)
    for model in left_out:
        rows = model.probabilities(along(model, ids))
        assert rows.sum(axis=1) == pytest.approx(np.ones(len(rows)), abs=2e-6)
        assert np.all(rows[:, 1:] > 0)


def test_documents_do_not_leak() -> None:
    one, two = [BOS, A, B, B, A, EOS], [BOS, B, A, EOS]
    model = fit([one, two], 4)
    both = token_nats(model, joined([one, two]))
    assert np.array_equal(both, np.concatenate([token_nats(model, joined([one])), token_nats(model, joined([two]))]))
    assert np.array_equal(model.distribution([*one, BOS, B]), model.distribution([BOS, B]))
    turned = to_arrays(fit([two, one], 4))
    assert all(np.array_equal(array, turned[name]) for name, array in to_arrays(model).items())
    grams = [gram for a, b in pairwise([*one, *two]) if (gram := (a, b))[1] != BOS]
    assert fit([one, two], 2).num_ngrams == len(set(grams))


@pytest.mark.parametrize("order", [1, 2, 3, 7])
def test_the_most_frequent_contexts_come_first(order: int) -> None:
    tokens = [BOS, *np.random.default_rng(7).choice([UNK, A, B], 400, p=[0.6, 0.3, 0.1]).tolist(), EOS]
    model = fit([tokens], order)
    occurs = Counter(
        tuple(tokens[place : place + length])
        for length in range(2, min(5, order - 1) + 1)
        for place in range(len(tokens) - length)  # what ends the text is no context
    )
    tokens_of = [model.tokens_of(node) for node in model.frequent.tolist()]
    assert sorted(tokens_of) == sorted(occurs)
    numbers = [occurs[ngram] for ngram in tokens_of]
    assert numbers == sorted(numbers, reverse=True)


def test_nothing_known_is_uniform() -> None:
    model = NgramModel.fit(np.zeros(0, dtype=np.int64), order=3, vocab_size=V, bos=BOS)
    assert model.distribution([BOS, A]) == pytest.approx([0, 1 / 4, 1 / 4, 1 / 4, 1 / 4], rel=1e-6)
    with pytest.raises(ValueError, match="order is 0"):
        fit(TOY, 0)
    counts = count_ngrams(joined(TOY), order=2, vocab_size=V, bos=BOS)
    for order in (0, 3):
        with pytest.raises(ValueError, match=f"order is {order}; it must be at least 1 and at most 2"):
            NgramModel.from_counts(counts, order=order)

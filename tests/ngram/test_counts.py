from collections import Counter

import numpy as np

from charlm.ngram.counts import count_ngrams, fold_of


def test_a_large_vocabulary_is_counted_right() -> None:
    rng = np.random.default_rng(3)
    text = [0, *(rng.integers(1, 3000, 2000).tolist() * 2), *rng.integers(1, 3, 300).tolist()]
    counts = count_ngrams(np.array(text, dtype=np.uint32), order=11, vocab_size=70_000, bos=0)
    for k, level in enumerate(counts.levels, start=2):
        expected = Counter(tuple(text[i : i + k]) for i in range(len(text) - k + 1))
        assert sorted(level.counts.tolist()) == sorted(expected.values())
        assert len(level.counts) == len(expected)
    assert counts.order == 11


def test_folds_are_consecutive_and_as_good_as_equal() -> None:
    for size, folds in ((100, 10), (103, 10), (7, 7), (5, 1)):
        found = fold_of(np.arange(size), size, folds)
        assert (np.diff(found) >= 0).all()
        sizes = np.bincount(found, minlength=folds)
        assert len(sizes) == folds and sizes.min() >= 1 and sizes.max() - sizes.min() <= 1

"""An n-gram model in steps of an octave's fraction stays a distribution near the model."""

import numpy as np
import pytest

from charlm.export.prior_codec import rounded_ngrams
from charlm.ngram.model import NgramModel


def test_rounded_n_grams_are_distributions_near_the_model() -> None:
    text = np.random.default_rng(1).choice(7, size=900, p=[0.01, 0.5, 0.2, 0.1, 0.1, 0.05, 0.04])
    text[0] = 0
    model = NgramModel.fit(text, order=4, vocab_size=7, bos=0)
    rounded = rounded_ngrams(model)
    for history in ([], [0], [1], [1, 2], [4, 3, 1], [6, 6, 6], [2, 1, 1]):
        before, after = model.distribution(history), rounded.distribution(history)
        assert after.sum() == pytest.approx(1, abs=1e-5)
        assert after == pytest.approx(before, rel=0.15, abs=1e-6)
    assert np.array_equal(rounded.estimates.backoffs < 1, model.estimates.backoffs < 1)

"""What a model knows of a label that it was never told: a linear probe of its states, the best single unit, and a
direction to steer by.

The method is that of Radford, Jozefowicz and Sutskever 2017 (arXiv 1704.01444), section 3: logistic regression with an
L1 penalty on the states of a language model that has read a text. The regressions are scikit-learn's, an extra.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from charlm.analysis.probing.classifiers import (
    DENSE,
    SPARSE,
    Accuracy,
    Threshold,
    Vectors,
    accuracy,
    best_unit,
    classify_by_words,
    regression,
)
from charlm.analysis.probing.labelled import Labelled
from charlm.progress import Progress, silent

BEST = 10
"""How many numbers the judge between one and all of them sees."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """How well a label can be read off a model's states, all on texts that nothing was fitted to."""

    positive: str
    negative: str
    train: int
    full: Accuracy
    """By all numbers, with an L1 penalty."""
    used: int
    """How many of them have a weight that is not 0."""
    unit: Threshold
    best: Accuracy
    """By the `BEST` numbers with the largest weights."""
    words: Accuracy
    """By the words of the text alone, without any model."""
    majority: float
    """The share of the more frequent label, from 0 to 1."""

    @property
    def tells(self) -> bool:
        """Whether the test texts are enough to tell the full probe from the more frequent label."""
        low, high = self.full.interval
        return not low <= self.majority <= high

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return {
            "positive": self.positive,
            "negative": self.negative,
            "train": self.train,
            "test": self.full.total,
            "full": self.full.to_json() | {"weights": self.used},
            "unit": self.unit.accuracy.to_json()
            | {"column": self.unit.column, "threshold": self.unit.threshold, "above": self.unit.above},
            "best": self.best.to_json() | {"units": BEST},
            "words": self.words.to_json(),
            "majority": self.majority,
        }


def probe(
    vectors: Vectors,
    labelled: Labelled,
    test_vectors: Vectors,
    test: Labelled,
    *,
    positive: str,
    seed: int = 1,
    progress: Progress = silent,
) -> Probe:
    """Fit all judges to the one set of texts, and test them on the other.

    Args:
        vectors: (N, D), of the texts to learn from.
        labelled: N texts; all labels but `positive` count as one.
        test_vectors: (M, D), of the texts to test on.
        test: M texts.
        positive: the label that is looked for.
        seed: of the folds of cross-validation.
        progress: told how many regressions are done.
    """
    truth, test_truth = labelled.truth(positive), test.truth(positive)
    mean, scale = vectors.mean(0), vectors.std(0)
    scale[scale == 0] = 1.0
    own, held_out = (vectors - mean) / scale, (test_vectors - mean) / scale
    unit = best_unit(own, truth)
    column = unit.column
    model = regression(own, truth, SPARSE, seed, progress, sparse=True)
    weights = model.coef_[0]
    chosen = np.argsort(-np.abs(weights), kind="stable")[:BEST]
    few = regression(own[:, chosen], truth, DENSE, seed)
    return Probe(
        positive=positive,
        negative=labelled.other(positive),
        train=len(truth),
        full=accuracy(model.predict(held_out), test_truth),
        used=int(np.count_nonzero(weights)),
        unit=Threshold(
            column=column,
            threshold=float(unit.threshold * scale[column] + mean[column]),
            above=unit.above,
            accuracy=accuracy((held_out[:, column] > unit.threshold) == unit.above, test_truth),
        ),
        best=accuracy(few.predict(held_out[:, chosen]), test_truth),
        words=accuracy(classify_by_words(labelled.texts, truth, test.texts, seed), test_truth),
        majority=max(float(test_truth.mean()), 1 - float(test_truth.mean())),
    )

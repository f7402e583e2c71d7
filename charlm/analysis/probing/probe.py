"""A linear probe: how well a label that a model was not trained on can be predicted from its states.

The method is that of Radford, Jozefowicz and Sutskever 2017 (arXiv 1704.01444), section 3: logistic regression with an
L1 penalty on the states of a language model that has read a text. Needs scikit-learn (the extra `probe`).
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

TOP_FEATURES = 10
"""How many features the small regression uses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """Accuracy of several classifiers of a label, measured on test texts that none of them was fitted to."""

    positive: str
    negative: str
    train: int
    """Number of training texts."""
    full: Accuracy
    """Regression on all features, with an L1 penalty."""
    used: int
    """How many features have a non-zero weight in it."""
    unit: Threshold
    """The best single feature."""
    best: Accuracy
    """Regression on the `TOP_FEATURES` features with the largest weights."""
    words: Accuracy
    """Regression on the words of the text, without the model."""
    majority: float
    """Share of the more frequent label in the test texts: the accuracy of always predicting it."""

    @property
    def conclusive(self) -> bool:
        """Whether the 95% interval of the full regression excludes the accuracy of always predicting the majority."""
        low, high = self.full.interval
        return not low <= self.majority <= high

    def to_json(self) -> dict[str, Any]:
        """All results as JSON values."""
        return {
            "positive": self.positive,
            "negative": self.negative,
            "train": self.train,
            "test": self.full.total,
            "full": self.full.to_json() | {"weights": self.used},
            "unit": self.unit.accuracy.to_json()
            | {"column": self.unit.column, "threshold": self.unit.threshold, "above": self.unit.above},
            "best": self.best.to_json() | {"units": TOP_FEATURES},
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
    """Fit all classifiers to the training texts and measure them on the test texts.

    Args:
        vectors: one vector for each training text, (N, D).
        labelled: the N training texts; all labels except `positive` count as one.
        test_vectors: one vector for each test text, (M, D).
        test: the M test texts.
        positive: the label to predict.
        seed: the random seed of the folds of cross-validation.
        progress: receives how many fits are done.
    """
    truth, test_truth = labelled.truth(positive), test.truth(positive)
    mean, scale = vectors.mean(0), vectors.std(0)
    scale[scale == 0] = 1.0
    train_features, test_features = (vectors - mean) / scale, (test_vectors - mean) / scale
    unit = best_unit(train_features, truth)
    column = unit.column
    model = regression(train_features, truth, SPARSE, seed, progress, sparse=True)
    weights = model.coef_[0]
    top = np.argsort(-np.abs(weights), kind="stable")[:TOP_FEATURES]
    small_model = regression(train_features[:, top], truth, DENSE, seed)
    return Probe(
        positive=positive,
        negative=labelled.other(positive),
        train=len(truth),
        full=accuracy(model.predict(test_features), test_truth),
        used=int(np.count_nonzero(weights)),
        unit=Threshold(
            column=column,
            threshold=float(unit.threshold * scale[column] + mean[column]),
            above=unit.above,
            accuracy=accuracy((test_features[:, column] > unit.threshold) == unit.above, test_truth),
        ),
        best=accuracy(small_model.predict(test_features[:, top]), test_truth),
        words=accuracy(classify_by_words(labelled.texts, truth, test.texts, seed), test_truth),
        majority=max(float(test_truth.mean()), 1 - float(test_truth.mean())),
    )

"""Simple judges of a label: a threshold on one number, a logistic regression on many, and one that sees only words.

The regressions are scikit-learn's, an extra.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.errors import CharlmError
from charlm.progress import Progress, silent

Vectors = NDArray[np.floating]
"""(N, D)."""
Truth = NDArray[np.bool_]
"""(N,), whether each text has the label."""

SPARSE = tuple(2.0**power for power in (-11, -9, -7, -5, -3))
"""Inverse penalties C of which cross-validation chooses, for an L1 penalty."""
DENSE = tuple(2.0**power for power in (-8, -6, -4, -2))
"""The same for an L2 penalty."""
_FOLDS = 3
_Z = 1.96  # standard deviations that hold 95%


def require_sklearn() -> None:
    """Raise `CharlmError` where scikit-learn is missing."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise CharlmError("a probe needs scikit-learn; install it with: pip install 'charlm-rnn[probe]'") from None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of the test texts were told right."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95% confidence, by Wilson's score (1927, JASA 22)."""
        centre = (self.share + _Z**2 / (2 * self.total)) / (1 + _Z**2 / self.total)
        spread = math.sqrt(self.share * (1 - self.share) / self.total + _Z**2 / (4 * self.total**2))
        spread *= _Z / (1 + _Z**2 / self.total)
        return max(0.0, centre - spread), min(1.0, centre + spread)

    def to_json(self) -> dict[str, Any]:
        """The share, its interval and the numbers."""
        return {"accuracy": self.share, "interval": list(self.interval), **asdict(self)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """One number of the vectors, as a judge of the label."""

    column: int
    threshold: float
    above: bool
    """Whether the label goes with values above the threshold."""
    accuracy: Accuracy
    """On the test texts."""


def accuracy(judged: NDArray[Any], truth: Truth) -> Accuracy:
    """Of judgements (N,), true or false."""
    return Accuracy(int((judged.astype(bool) == truth).sum()), len(truth))


def best_unit(vectors: Vectors, truth: Truth) -> Threshold:
    """The number whose best threshold tells the label of most texts; its accuracy is that on these texts.

    Args:
        vectors: (N, D).
        truth: (N,).
    """
    count, total, right = len(truth), int(truth.sum()), -1
    found = (0, 0.0, True)
    for column in range(vectors.shape[1]):
        order = np.argsort(vectors[:, column], kind="stable")
        values = vectors[order, column]
        below = np.concatenate(([0], np.cumsum(truth[order])))  # of the label among the first k, (N + 1,)
        rights = np.arange(count + 1) - below + (total - below)  # where the label goes with what lies above
        possible = np.concatenate(([True], values[:-1] < values[1:], [True]))  # no threshold between equal values
        for above, side in ((True, rights), (False, count - rights)):
            place = int(np.where(possible, side, -1).argmax())
            if side[place] > right:
                right, found = int(side[place]), (column, _between(values, place), above)
    return Threshold(column=found[0], threshold=found[1], above=found[2], accuracy=Accuracy(right, count))


def _between(values: Vectors, place: int) -> float:
    """A number with the first `place` of sorted values not above it, and the others above."""
    if place == 0:
        return float(np.nextafter(values[0], -np.inf))
    low, high = values[place - 1], values[min(place, len(values) - 1)]
    middle = low + (high - low) / 2
    return float(middle if middle < high else low)


def regression(
    vectors: Any,
    truth: Truth,
    penalties: Sequence[float],
    seed: int,
    progress: Progress = silent,
    *,
    sparse: bool = False,
) -> Any:
    """A logistic regression, fitted; which of the inverse penalties C it takes is chosen by cross-validation.

    Args:
        vectors: (N, D), dense or sparse.
        truth: (N,).
        penalties: of which one is chosen.
        seed: of the folds.
        progress: told how many fits are done.
        sparse: an L1 penalty, which leaves most weights at 0, in place of L2.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    def fitted(penalty: float, rows: NDArray[np.int64] | slice) -> Any:
        model = LogisticRegression(C=penalty, l1_ratio=float(sparse), solver="liblinear", tol=1e-2, random_state=seed)
        return model.fit(vectors[rows], truth[rows])

    folds = [*StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(np.zeros(len(truth)), truth)]
    right = dict.fromkeys(penalties, 0)
    done, total = 0, len(penalties) * len(folds) + 1
    for penalty in penalties:
        for rows, others in folds:
            right[penalty] += int((fitted(penalty, rows).predict(vectors[others]) == truth[others]).sum())
            done += 1
            progress("fitting", done, total)
    model = fitted(max(penalties, key=lambda penalty: right[penalty]), slice(None))
    progress("fitting", total, total)
    return model


def classify_by_words(train_texts: Sequence[str], truth: Truth, test_texts: Sequence[str], seed: int) -> NDArray[Any]:
    """What a logistic regression on which words a text has says of the test texts; where no word occurs in two texts,
    what most of them are."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b", min_df=2)
    try:
        counts = counter.fit_transform(train_texts)
    except ValueError:  # there is none
        return np.full(len(test_texts), truth.mean() > 0.5)
    judged: NDArray[Any] = regression(counts, truth, DENSE, seed).predict(counter.transform(test_texts))
    return judged

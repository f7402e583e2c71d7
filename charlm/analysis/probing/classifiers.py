"""Simple classifiers of a label: a threshold on one feature, logistic regression on many, and one that sees only words.

The regressions need scikit-learn, an optional dependency (the extra `probe`).
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
"""Candidates for the inverse penalty C with an L1 penalty; cross-validation selects one."""
DENSE = tuple(2.0**power for power in (-8, -6, -4, -2))
"""The candidates with an L2 penalty."""
_FOLDS = 3
_Z = 1.96  # standard deviations of a 95% interval


def require_sklearn() -> None:
    """Raise `CharlmError` if scikit-learn is missing."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise CharlmError("a probe needs scikit-learn; install it with: pip install 'charlm-rnn[probe]'") from None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many texts were classified correctly."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95% confidence interval of the share, by Wilson's score (1927, JASA 22)."""
        centre = (self.share + _Z**2 / (2 * self.total)) / (1 + _Z**2 / self.total)
        spread = math.sqrt(self.share * (1 - self.share) / self.total + _Z**2 / (4 * self.total**2))
        spread *= _Z / (1 + _Z**2 / self.total)
        return max(0.0, centre - spread), min(1.0, centre + spread)

    def to_json(self) -> dict[str, Any]:
        """The share, its interval and the counts."""
        return {"accuracy": self.share, "interval": list(self.interval), **asdict(self)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A classifier that compares one feature with a threshold."""

    column: int
    threshold: float
    above: bool
    """Whether values above the threshold mean that the text has the label."""
    accuracy: Accuracy


def accuracy(predicted: NDArray[Any], truth: Truth) -> Accuracy:
    """Accuracy of predictions (N,), true or false."""
    return Accuracy(int((predicted.astype(bool) == truth).sum()), len(truth))


def best_unit(vectors: Vectors, truth: Truth) -> Threshold:
    """The feature and threshold that classify most of the given texts correctly; `accuracy` is measured on them.

    Args:
        vectors: one vector for each text, (N, D).
        truth: whether each text has the label, (N,).
    """
    count, positives = len(truth), int(truth.sum())
    most_right, best = -1, (0, 0.0, True)
    for column in range(vectors.shape[1]):
        order = np.argsort(vectors[:, column], kind="stable")
        values = vectors[order, column]
        positives_below = np.concatenate(([0], np.cumsum(truth[order])))  # among the k lowest, (N + 1,)
        right_if_above = np.arange(count + 1) - positives_below + (positives - positives_below)
        possible = np.concatenate(([True], values[:-1] < values[1:], [True]))  # no threshold between equal values
        for above, right in ((True, right_if_above), (False, count - right_if_above)):
            k = int(np.where(possible, right, -1).argmax())
            if right[k] > most_right:
                most_right, best = int(right[k]), (column, _threshold(values, k), above)
    column, threshold, above = best
    return Threshold(column=column, threshold=threshold, above=above, accuracy=Accuracy(most_right, count))


def _threshold(values: Vectors, k: int) -> float:
    """A threshold that separates the first k of the sorted values from the others, which lie above it."""
    if k == 0:
        return float(np.nextafter(values[0], -np.inf))
    low, high = values[k - 1], values[min(k, len(values) - 1)]
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
    """Fit a logistic regression; the inverse penalty C is selected by cross-validation.

    Args:
        vectors: one vector for each text, (N, D), dense or sparse.
        truth: whether each text has the label, (N,).
        penalties: candidates for C.
        seed: the random seed of the folds.
        progress: receives how many fits are done.
        sparse: use an L1 penalty, which leaves most weights at 0, instead of L2.

    Returns:
        A fitted `sklearn.linear_model.LogisticRegression`.
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
    """Predictions for the test texts by a logistic regression on the words of a text.

    Words that occur in a single training text are ignored. If none is left, every prediction is the majority label.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b", min_df=2)
    try:
        counts = counter.fit_transform(train_texts)
    except ValueError:  # no word occurs in two texts
        return np.full(len(test_texts), truth.mean() > 0.5)
    predicted: NDArray[Any] = regression(counts, truth, DENSE, seed).predict(counter.transform(test_texts))
    return predicted

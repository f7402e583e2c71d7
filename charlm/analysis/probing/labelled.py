"""Labelled texts, read from files with one text per line."""

import logging
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charlm.data.encoding import read_utf8
from charlm.data.inputs.line_ends import with_lf
from charlm.errors import CorpusError
from charlm.nouns import count_of, form_for

logger = logging.getLogger(__name__)

FEWEST = 20
"""Fewest distinct texts per label for a probe."""
_HEADER = ("text", "label")


@dataclass(frozen=True, slots=True)
class Labelled:
    """N texts and their labels."""

    texts: list[str]
    labels: list[str]

    @property
    def names(self) -> list[str]:
        """The distinct labels in alphabetical order."""
        return sorted(set(self.labels))

    def truth(self, label: str) -> NDArray[np.bool_]:
        """Whether each text has the label, (N,)."""
        return np.array([text_label == label for text_label in self.labels])

    def other(self, label: str) -> str:
        """The other label if there are two; "not LABEL" if there are more."""
        others = [name for name in self.names if name != label]
        return others[0] if len(others) == 1 else f"not {label}"


def distinct(labelled: Labelled) -> Labelled:
    """Remove duplicates; texts with conflicting labels are left out, which is logged."""
    labels: dict[str, set[str]] = {}
    for text, label in zip(labelled.texts, labelled.labels, strict=True):
        labels.setdefault(text, set()).add(label)
    kept = {text: next(iter(text_labels)) for text, text_labels in labels.items() if len(text_labels) == 1}
    if len(kept) < len(labels):
        number = len(labels) - len(kept)
        logger.warning(
            "%s more than one label and %s left out",
            f"{count_of(number, 'text')} {form_for(number, 'has', 'have')}",
            form_for(number, "is", "are"),
        )
    return Labelled(list(kept), list(kept.values()))


def split(labelled: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """Split `distinct` texts at random into training and test texts.

    The test texts are `share` of the texts of each label, at least one.
    """
    pairs = list(zip(labelled.texts, labelled.labels, strict=True))
    quota = {label: max(1, round(share * count)) for label, count in Counter(labelled.labels).items()}
    parts: tuple[Labelled, Labelled] = Labelled([], []), Labelled([], [])
    for text, label in random.Random(seed).sample(pairs, len(pairs)):
        quota[label] -= 1
        part = parts[quota[label] >= 0]
        part.texts.append(text)
        part.labels.append(label)
    return parts


def without(labelled: Labelled, others: Labelled) -> Labelled:
    """The texts that are not in `others`."""
    excluded = set(others.texts)
    kept = [pair for pair in zip(labelled.texts, labelled.labels, strict=True) if pair[0] not in excluded]
    return Labelled([text for text, _ in kept], [label for _, label in kept])


def read_pair(positive: Path, negative: Path) -> Labelled:
    """Read one file per label, "positive" and "negative"; empty lines are ignored.

    Raises:
        CorpusError: a file can't be read or has no text.
    """
    texts: list[str] = []
    labels: list[str] = []
    for path, label in ((positive, "positive"), (negative, "negative")):
        lines = [line for line in _lines(path) if line.strip()]
        if not lines:
            raise CorpusError(f"{path} has no text; give a file with one text per line")
        texts += lines
        labels += [label] * len(lines)
    return Labelled(texts, labels)


def read_labelled(path: Path) -> Labelled:
    """Read a file with a text, a tab and a label on each line; a header line "text<TAB>label" is skipped.

    Raises:
        CorpusError: the file can't be read, or a line has no text or no label.
    """
    texts: list[str] = []
    labels: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        text, tab, label = line.rpartition("\t")
        if number == 1 and (text, label) == _HEADER:
            continue
        if not tab or not label.strip():
            raise CorpusError(f"{path}: line {number} has no label; write a text, a tab and a label")
        if not text.strip():
            raise CorpusError(f"{path}: line {number} has no text before its label; remove the line")
        texts.append(text)
        labels.append(label.strip())
    if not texts:
        raise CorpusError(f"{path} has no text; write a text, a tab and a label on each line")
    return Labelled(texts, labels)


def require_enough(labelled: Labelled) -> None:
    """Raise `CorpusError` unless `distinct` texts have at least two labels and `FEWEST` texts of each."""
    counts = Counter(labelled.labels)
    if not counts:
        raise CorpusError("no text is left: each has more than one label; give every text a single label")
    if len(counts) < 2:
        raise CorpusError(f"all texts have the label {next(iter(counts))!r}; a probe needs texts of two or more labels")
    label, count = min(counts.items(), key=lambda pair: pair[1])
    if count < FEWEST:
        raise CorpusError(
            f"only {count_of(count, 'distinct text')} {form_for(count, 'has', 'have')} the label {label!r}; a "
            f"probe needs {FEWEST} per label, better 1,000"
        )


def require_alike(test: Labelled, labelled: Labelled) -> None:
    """Raise `CorpusError` unless there are test texts, and their labels all occur in the training texts."""
    if not test.texts:
        raise CorpusError("no test text is left: all of them are also training texts; give other test texts")
    unknown = sorted(set(test.labels) - set(labelled.labels))
    if unknown:
        raise CorpusError(f"a test text has the label {unknown[0]!r}, which no training text has; remove it")


def _lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their line ends."""
    return with_lf(read_utf8(str(path))).split("\n")

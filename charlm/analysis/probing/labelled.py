"""Texts with labels, read from files: one text a line."""

import logging
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charlm.data.encoding import read_utf8
from charlm.errors import CorpusError

logger = logging.getLogger(__name__)

FEWEST = 20
"""Texts of each label without which nothing can be learnt and tested."""
_HEADER = ("text", "label")


@dataclass(frozen=True, slots=True)
class Labelled:
    """N texts and their labels."""

    texts: list[str]
    labels: list[str]

    @property
    def names(self) -> list[str]:
        """The labels that there are, in order of the alphabet."""
        return sorted(set(self.labels))

    def truth(self, label: str) -> NDArray[np.bool_]:
        """Whether each text has a label, (N,)."""
        return np.array([own == label for own in self.labels])

    def other(self, label: str) -> str:
        """The other label; what the others are called where there are several."""
        others = [name for name in self.names if name != label]
        return others[0] if len(others) == 1 else f"not {label}"


def distinct(labelled: Labelled) -> Labelled:
    """Each text once; those that bear different labels are left out, which is logged."""
    labels: dict[str, set[str]] = {}
    for text, label in zip(labelled.texts, labelled.labels, strict=True):
        labels.setdefault(text, set()).add(label)
    kept = {text: next(iter(own)) for text, own in labels.items() if len(own) == 1}
    if len(kept) < len(labels):
        logger.warning("%d texts bear more than one label and are left out", len(labels) - len(kept))
    return Labelled(list(kept), list(kept.values()))


def split(labelled: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """Most of the texts, and `share` of those of each label, at least one, drawn at random; of `distinct` texts, so
    that none is in both."""
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
    """The texts that are not among others."""
    known = set(others.texts)
    kept = [pair for pair in zip(labelled.texts, labelled.labels, strict=True) if pair[0] not in known]
    return Labelled([text for text, _ in kept], [label for _, label in kept])


def read_pair(positive: Path, negative: Path) -> Labelled:
    """Two files, each of one label: "positive" and "negative"; empty lines are left out.

    Raises `CorpusError` for a file that can't be read or has no text.
    """
    texts: list[str] = []
    labels: list[str] = []
    for path, label in ((positive, "positive"), (negative, "negative")):
        lines = [line for line in _lines(path) if line.strip()]
        if not lines:
            raise CorpusError(f"{path}: no text in it; give a file with a text on each line")
        texts += lines
        labels += [label] * len(lines)
    return Labelled(texts, labels)


def read_table(path: Path) -> Labelled:
    """A file with a text, a tab and a label on each line; a first line "text, tab, label" is a heading.

    Raises `CorpusError` for a file that can't be read, and for a line that lacks a text or a label.
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
            raise CorpusError(f"{path}: line {number} has no label; write the text, a tab and the label")
        if not text.strip():
            raise CorpusError(f"{path}: line {number} has no text before its label; leave the line out")
        texts.append(text)
        labels.append(label.strip())
    if not texts:
        raise CorpusError(f"{path}: no text in it; write a text, a tab and a label on each line")
    return Labelled(texts, labels)


def require_enough(labelled: Labelled) -> None:
    """Raise `CorpusError` unless there are two labels or more, with `FEWEST` texts each; of `distinct` texts."""
    counts = Counter(labelled.labels)
    if len(counts) < 2:
        name = next(iter(counts), "none")
        raise CorpusError(f"there are texts of one label only, {name!r}; a probe needs texts of two labels")
    label, count = min(counts.items(), key=lambda pair: pair[1])
    if count < FEWEST:
        raise CorpusError(
            f"{count} texts have the label {label!r}, each counted once; a probe needs {FEWEST} of each, better 1,000"
        )


def require_alike(test: Labelled, labelled: Labelled) -> None:
    """Raise `CorpusError` unless there are texts to test on, with no label that those to learn from have not."""
    if not test.texts:
        raise CorpusError("no text is left to test on: all of them are among those to learn from; give others")
    strange = sorted(set(test.labels) - set(labelled.labels))
    if strange:
        raise CorpusError(f"a test text has the label {strange[0]!r}, which no text to learn from has")


def _lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their line ends."""
    return read_utf8(str(path)).replace("\r\n", "\n").split("\n")

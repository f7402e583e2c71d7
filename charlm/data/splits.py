"""The training, validation and test splits: where they end in a text, and which documents belong to which."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from charlm.config import CorpusConfig
from charlm.data.documents import Part

SPLITS = ("train", "valid", "test")
_GOLDEN = (math.sqrt(5) - 1) / 2
Shares = tuple[float, float, float]
"""Of a text for training, validation and test, per cent."""


def boundaries(characters: int, shares: Shares) -> tuple[int, int, int]:
    """Where the three splits end, in characters from the start: floor(characters * cumulative per cent / 100)."""
    first, second, _ = shares
    return int(characters * first // 100), int(characters * (first + second) // 100), characters


def assign_splits(
    parts: Iterable[Part], boundaries: tuple[int, int, int], config: CorpusConfig
) -> Iterator[tuple[int, Part]]:
    """The parts in order, cut where a split ends, each with the index of its split in `SPLITS`.

    With documents "file" a split ends at its exact character. Smaller documents are never cut: each belongs to the
    split in which it starts.
    """
    return (_cut_exactly if config.documents == "file" else _cut_between)(parts, boundaries)


def _cut_exactly(parts: Iterable[Part], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Part]]:
    """Add the split index to each part, which has one text, cutting texts, and so documents, at split boundaries."""
    position = index = 0
    inside = False  # whether a document of this split has begun and not ended
    for (text,), ends, labels, _ in parts:
        while len(text) > 0 and position + len(text) > boundaries[index]:
            room = boundaries[index] - position
            if room or inside:
                yield index, Part([text[:room]], True, labels)
            inside = False
            text, position = text[room:], boundaries[index]
            index += 1
        if text or (ends and inside):
            yield index, Part([text], ends, labels)
            inside = not ends
        position += len(text)


def _cut_between(parts: Iterable[Part], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Part]]:
    """Add to each part the index of the split in which its documents start, cutting it between documents."""
    position = index = 0
    inside = False  # whether the first text of a part continues a document
    for texts, ends, labels, _ in parts:
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        stops = position + np.cumsum(lengths)
        starts = stops - lengths
        if inside:
            starts[0] = -1  # it stays in the split of its document
        first = 0
        while first < len(texts):
            last = index == len(boundaries) - 1
            end = len(texts) if last else int(np.searchsorted(starts, boundaries[index]))
            if end > first:
                yield index, Part(texts[first:end], ends if end == len(texts) else True, labels)
                first = end
            if first < len(texts):
                index += 1
        position = int(stops[-1])
        inside = not ends


def spread(parts: Iterable[Part], shares: Shares) -> Iterator[tuple[int, Part]]:
    """The parts in order, each with the index of its split; every split has whole documents from everywhere.

    Document n belongs to the split into which the fraction of n times the golden ratio falls. These fractions are even
    over any stretch of documents (Weyl 1916), so that each split has its share of each label even in a sorted text.
    """
    limits = np.cumsum(shares)[:2] / 100
    number, index = 0, 0  # of the next document, and of the split of the last
    inside = False
    for texts, ends, labels, sources in parts:
        numbers = number + np.arange(len(texts) - inside)
        splits = np.searchsorted(limits, numbers * _GOLDEN % 1, side="right")
        if inside:
            splits = np.concatenate(([index], splits))
        cuts = [0, *(np.flatnonzero(np.diff(splits)) + 1).tolist(), len(texts)]
        for first, last in pairwise(cuts):
            index = int(splits[first])
            whole = ends if last == len(texts) else True
            yield index, Part(texts[first:last], whole, labels, sources[first:last])
        number += len(numbers)
        inside = not ends


def cut_each(parts: Iterable[Part], lengths: Iterable[int], shares: Shares) -> Iterator[tuple[int, Part]]:
    """The parts in order, each with the index of its split; each document is cut in three.

    `lengths` are the characters of each document.
    """
    parts = iter(parts)
    for length in lengths:
        yield from _cut_exactly(_to_the_end(parts), boundaries(length, shares))
    yield from ((0, part) for part in parts)  # none, unless the text has changed, which its reader then finds


def _to_the_end(parts: Iterator[Part]) -> Iterator[Part]:
    """The parts of one document."""
    for part in parts:
        yield part
        if part.ends:
            return

"""The training, validation and test splits of a text: where they end, and which documents belong to which."""

from collections.abc import Iterable, Iterator

import numpy as np

from charlm.config import CorpusConfig
from charlm.data.documents import Part

SPLITS = ("train", "valid", "test")


def boundaries(characters: int, shares: tuple[float, float, float]) -> tuple[int, int, int]:
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
    for (text,), ends in parts:
        while len(text) > 0 and position + len(text) > boundaries[index]:
            room = boundaries[index] - position
            if room or inside:
                yield index, Part([text[:room]], True)
            inside = False
            text, position = text[room:], boundaries[index]
            index += 1
        if text or (ends and inside):
            yield index, Part([text], ends)
            inside = not ends
        position += len(text)


def _cut_between(parts: Iterable[Part], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Part]]:
    """Add to each part the index of the split in which its documents start, cutting it between documents."""
    position = index = 0
    inside = False  # whether the first text of a part continues a document
    for texts, ends in parts:
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
                yield index, Part(texts[first:end], ends if end == len(texts) else True)
                first = end
            if first < len(texts):
                index += 1
        position = int(stops[-1])
        inside = not ends

"""The training, validation and test splits of a text: where they end, and which documents belong to which."""

from collections.abc import Iterable, Iterator

from charlm.config import CorpusConfig
from charlm.data.documents import Fragment

SPLITS = ("train", "valid", "test")


def boundaries(characters: int, shares: tuple[float, float, float]) -> tuple[int, int, int]:
    """Where the three splits end, in characters from the start: floor(characters * cumulative per cent / 100)."""
    first, second, _ = shares
    return int(characters * first // 100), int(characters * (first + second) // 100), characters


def assign_splits(
    fragments: Iterable[Fragment], boundaries: tuple[int, int, int], config: CorpusConfig
) -> Iterator[tuple[int, Fragment]]:
    """The fragments in order, each with the index of its split in `SPLITS`.

    With documents "file" a split ends at its exact character. Smaller documents are never cut: each belongs to the
    split in which it starts.
    """
    return (_cut_exactly if config.documents == "file" else _cut_between)(fragments, boundaries)


def _cut_exactly(fragments: Iterable[Fragment], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Fragment]]:
    """Add the split index to each fragment, cutting fragments, and so their documents, at split boundaries."""
    position = index = 0
    inside = False  # whether a document of this split has begun and not ended
    for text, ends in fragments:
        while len(text) > 0 and position + len(text) > boundaries[index]:
            room = boundaries[index] - position
            if room or inside:
                yield index, Fragment(text[:room], True)
            inside = False
            text, position = text[room:], boundaries[index]
            index += 1
        if text or (ends and inside):
            yield index, Fragment(text, ends)
            inside = not ends
        position += len(text)


def _cut_between(fragments: Iterable[Fragment], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Fragment]]:
    """Add to each fragment the index of the split in which its document starts."""
    position = index = 0
    starts = True
    for fragment in fragments:
        while starts and position >= boundaries[index] and index < len(boundaries) - 1:
            index += 1
        yield index, fragment
        position += len(fragment.text)
        starts = fragment.ends

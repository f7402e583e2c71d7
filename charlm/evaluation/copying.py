"""Passages of a text that occur verbatim in another, such as the one that a model was trained on; and how much of a
held-out split also occurs in the training split, which makes its score too good.

The other text is kept in memory, with the hash of a substring at every 16th character. The substrings are so short that
any passage of the minimum length contains one of them, so a passage without a known hash needs no search.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from charlm.data.corpus import Corpus
from charlm.errors import ConfigError

logger = logging.getLogger(__name__)

_STRIDE = 16  # characters from one hashed substring to the next
_DOCUMENT_END = "\0"  # no text contains it, so no passage spans two documents
_SEARCH_SEPARATOR = "\x01"  # between searched texts; it differs from `_DOCUMENT_END`, so no passage spans two of them
MOST_CHARACTERS = 50_000_000
"""How many characters of a training text are indexed, which bounds the memory."""
_NOTICEABLE_OVERLAP = 0.01  # share of a held-out text
_COMPARED_TRAINING, _COMPARED_HELD_OUT = 20_000_000, 100_000  # characters of the texts in which overlap is searched
_LEAST_PASSAGE, _LEAST_DOCUMENT = 200, 20  # characters of the shortest passage and document that overlap counts


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters that occur verbatim in the other text, and wouldn't with one more on either side."""

    start: int
    length: int


class CopyIndex:
    """A text that others may have copied from."""

    def __init__(self, texts: Iterable[str], *, least: int) -> None:
        """Read a text.

        Args:
            texts: the documents of the text to index.
            least: length of the shortest passage to find, characters; at least 1.

        Raises `ConfigError` for a `least` below 1.
        """
        if least < 1:
            raise ConfigError(f"the minimum length of a copied passage is {least}; it must be at least 1")
        self.least = least
        self._text = _DOCUMENT_END.join(texts)
        self._stride = min(_STRIDE, least)
        self._size = least - self._stride + 1  # characters of a hashed substring
        last = len(self._text) - self._size
        hashes = (hash(self._text[start : start + self._size]) for start in range(0, last + 1, self._stride))
        self._hashes = np.unique(np.fromiter(hashes, dtype=np.int64))

    def holds(self, passage: str) -> bool:
        """Whether the text contains a passage of at least the minimum length."""
        starts = range(min(self._stride, len(passage) - self._size + 1))
        return any(self._is_hashed(passage, start) for start in starts) and passage in self._text

    def passages(self, text: str) -> Iterator[Passage]:
        """All passages of `text` of at least the minimum length, from left to right; they may overlap."""
        hashed = [start for start in range(len(text) - self._size + 1) if self._is_hashed(text, start)]
        end = upcoming = 0  # where the last passage ends, and the index of the next hashed substring
        for start in range(len(text) - self.least + 1):
            while upcoming < len(hashed) and hashed[upcoming] < start:
                upcoming += 1
            if upcoming == len(hashed):
                return
            if hashed[upcoming] >= start + self._stride:
                continue
            shortest = max(self.least, end + 1 - start)
            if start + shortest <= len(text) and text[start : start + shortest] in self._text:
                end = start + self._longest(text, start, shortest)
                yield Passage(start, end - start)

    def _is_hashed(self, text: str, start: int) -> bool:
        value = hash(text[start : start + self._size])
        index = int(self._hashes.searchsorted(value))
        return index < len(self._hashes) and int(self._hashes[index]) == value

    def _longest(self, text: str, start: int, known: int) -> int:
        """The length of the longest passage at `start`, whose first `known` characters are known to be copied."""
        step = 1
        while start + known + step <= len(text) and text[start : start + known + step] in self._text:
            known += step
            step *= 2
        while step > 1:
            step //= 2
            if start + known + step <= len(text) and text[start : start + known + step] in self._text:
                known += step
        return known


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """How much of a text is copied."""

    passages: tuple[Passage, ...]
    characters: int
    """Length of the text."""
    copied: int
    """Characters in any of the passages."""

    @property
    def longest(self) -> int:
        """Characters of the longest passage; 0 without any."""
        return max((passage.length for passage in self.passages), default=0)

    @property
    def share(self) -> float:
        """Copied share of the characters, from 0 to 1."""
        return self.copied / self.characters if self.characters else 0.0

    def to_json(self) -> dict[str, Any]:
        """The figures by name, and the passages."""
        passages = [asdict(passage) for passage in self.passages]
        return {"longest": self.longest, "share": self.share, "stretches": passages}


def find_copies(text: str, index: CopyIndex) -> Copied:
    """All passages of a text that are copied, and how much of it they make up."""
    passages = tuple(index.passages(text))
    copied = end = 0
    for passage in passages:
        stop = passage.start + passage.length
        copied += max(0, stop - max(end, passage.start))
        end = max(end, stop)
    return Copied(passages=passages, characters=len(text), copied=copied)


def find_copies_in_texts(texts: Iterable[str], index: CopyIndex, *, characters: int) -> Copied:
    """As `find_copies`, for the first `characters` characters of several texts taken together."""
    return find_copies(_SEARCH_SEPARATOR.join(islice(texts, characters))[:characters], index)


def index_training_text(documents: Iterable[str], *, least: int) -> CopyIndex:
    """An index of the documents of a training text; of a very long text only the start is indexed, with a warning.

    `least` is the length of the shortest passage to find, characters. Raises `ConfigError` if it is below 1.
    """
    return CopyIndex(_first(documents, MOST_CHARACTERS, warns=True), least=least)


def warn_about_overlap(training: Corpus, held_out: Corpus, name: str) -> None:
    """Warn if a hundredth or more of a held-out text, whose `name` is validation or test, is in the training text."""
    share = overlap(
        training.split_documents("train", longest=_COMPARED_TRAINING),
        held_out.split_documents("train", longest=_COMPARED_HELD_OUT),
    )
    if share >= _NOTICEABLE_OVERLAP:
        logger.warning(
            "%.0f%% of the %s text also occurs in the training text, so its loss is too low", 100 * share, name
        )


def overlap(training: Iterable[str], held_out: Iterable[str]) -> float:
    """The share of a held-out split's characters that also stand in the training split, 0 to 1.

    A document counts if the same document is in the training split, and otherwise its passages of 200 characters and
    more that occur there. Of long splits only the first 20,000,000 and 100,000 characters are compared.

    Args:
        training: the documents of the training split.
        held_out: the documents of the held-out split.
    """
    known = list(_first(training, _COMPARED_TRAINING))
    whole, index = set(known), CopyIndex(known, least=_LEAST_PASSAGE)
    characters = shared = 0
    for document in _first(held_out, _COMPARED_HELD_OUT):
        characters += len(document)
        if len(document) >= _LEAST_DOCUMENT and document in whole:
            shared += len(document)
        elif len(document) >= _LEAST_PASSAGE:
            shared += find_copies(document, index).copied
    return shared / characters if characters else 0.0


def _first(documents: Iterable[str], characters: int, *, warns: bool = False) -> Iterator[str]:
    """The first characters of the documents; with `warns` a warning if there are more."""
    left = characters
    for document in documents:
        yield document[:left]
        left -= len(document)
        if left < 0:
            if warns:
                logger.warning(
                    "only the first %s characters of the training text are searched for copies", f"{characters:,}"
                )
            return

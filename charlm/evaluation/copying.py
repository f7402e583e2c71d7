"""Passages of a text that occur verbatim in another, such as the one that a model was trained on.

The other text is kept in memory, with the hash of a substring at every 16th character. The substrings are so short that
any passage of the minimum length contains one of them, so a passage without a known hash needs no search.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charlm.errors import ConfigError

_STRIDE = 16  # characters from one hashed substring to the next
_DOCUMENT_END = "\0"  # no text contains it, so no passage spans two documents


@dataclass(frozen=True, slots=True)
class Stretch:
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
            raise ConfigError(f"the minimum length of a copied stretch is {least}; it must be at least 1")
        self.least = least
        self._text = _DOCUMENT_END.join(texts)
        self._stride = min(_STRIDE, least)
        self._size = least - self._stride + 1  # characters of a hashed substring
        last = len(self._text) - self._size
        hashes = (hash(self._text[start : start + self._size]) for start in range(0, last + 1, self._stride))
        self._hashes = np.unique(np.fromiter(hashes, dtype=np.int64))

    def holds(self, stretch: str) -> bool:
        """Whether the text contains a stretch of at least the minimum length."""
        starts = range(min(self._stride, len(stretch) - self._size + 1))
        return any(self._is_hashed(stretch, start) for start in starts) and stretch in self._text

    def stretches(self, text: str) -> Iterator[Stretch]:
        """All stretches of `text` of at least the minimum length, from left to right; they may overlap."""
        hashed = [start for start in range(len(text) - self._size + 1) if self._is_hashed(text, start)]
        end = upcoming = 0  # where the last stretch ends, and the index of the next hashed substring
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
                yield Stretch(start, end - start)

    def _is_hashed(self, text: str, start: int) -> bool:
        value = hash(text[start : start + self._size])
        index = int(self._hashes.searchsorted(value))
        return index < len(self._hashes) and int(self._hashes[index]) == value

    def _longest(self, text: str, start: int, known: int) -> int:
        """The length of the longest stretch at `start`, whose first `known` characters are known to be copied."""
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

    stretches: tuple[Stretch, ...]
    characters: int
    """Length of the text."""
    copied: int
    """Characters in any of the stretches."""

    @property
    def longest(self) -> int:
        """Characters of the longest stretch; 0 without any."""
        return max((stretch.length for stretch in self.stretches), default=0)

    @property
    def share(self) -> float:
        """Copied share of the characters, from 0 to 1."""
        return self.copied / self.characters if self.characters else 0.0

    def to_json(self) -> dict[str, Any]:
        """The figures by name, and the stretches."""
        stretches = [asdict(stretch) for stretch in self.stretches]
        return {"longest": self.longest, "share": self.share, "stretches": stretches}


def find_copies(text: str, index: CopyIndex) -> Copied:
    """All stretches of a text that are copied, and how much of it they make up."""
    stretches = tuple(index.stretches(text))
    copied = end = 0
    for stretch in stretches:
        stop = stretch.start + stretch.length
        copied += max(0, stop - max(end, stretch.start))
        end = max(end, stop)
    return Copied(stretches=stretches, characters=len(text), copied=copied)

"""Stretches of a text that stand verbatim in another, such as the one that a model was trained on.

The other text is held in memory, with the hashes of those of its windows that begin at every 16th place: any stretch of
the least length holds one of them, so that where none is met nothing need be searched.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charlm.errors import ConfigError

_APART = 16  # characters between the windows that are hashed
_BETWEEN = "\0"  # documents, so that no stretch spans two; a text never holds it


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters that stand verbatim in the other text, and would not with one more on either side."""

    start: int
    length: int


class CopyIndex:
    """A text that others may have copied from."""

    def __init__(self, texts: Iterable[str], *, least: int) -> None:
        """Read a text.

        Args:
            texts: its documents.
            least: characters of the shortest stretch that is looked for, at least 1.

        Raises `ConfigError` for a least length below 1.
        """
        if least < 1:
            raise ConfigError(f"the least length of a copied stretch is {least}; it must be at least 1")
        self.least = least
        self._text = _BETWEEN.join(texts)
        self._apart = min(_APART, least)
        self._window = least - self._apart + 1
        last = len(self._text) - self._window
        hashes = (hash(self._text[at : at + self._window]) for at in range(0, last + 1, self._apart))
        self._hashes = np.unique(np.fromiter(hashes, dtype=np.int64))

    def holds(self, stretch: str) -> bool:
        """Whether a stretch of at least the least length stands in the text."""
        first = range(min(self._apart, len(stretch) - self._window + 1))
        return any(self._met(stretch, at) for at in first) and stretch in self._text

    def stretches(self, text: str) -> Iterator[Stretch]:
        """All stretches of `text` of at least the least length, from left to right; they may overlap."""
        met = [at for at in range(len(text) - self._window + 1) if self._met(text, at)]
        end = upcoming = 0  # where the last stretch ends, and which window is next
        for start in range(len(text) - self.least + 1):
            while upcoming < len(met) and met[upcoming] < start:
                upcoming += 1
            if upcoming == len(met):
                return
            if met[upcoming] >= start + self._apart:
                continue
            shortest = max(self.least, end + 1 - start)
            if start + shortest <= len(text) and text[start : start + shortest] in self._text:
                end = start + self._longest(text, start, shortest)
                yield Stretch(start, end - start)

    def _met(self, text: str, at: int) -> bool:
        value = hash(text[at : at + self._window])
        place = int(self._hashes.searchsorted(value))
        return place < len(self._hashes) and int(self._hashes[place]) == value

    def _longest(self, text: str, start: int, known: int) -> int:
        """The length of the longest stretch from `start` on, of which `known` characters are known to be copied."""
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
    """What of a text is copied."""

    stretches: tuple[Stretch, ...]
    characters: int
    """Of the text."""
    copied: int
    """Those in any of the stretches."""

    @property
    def longest(self) -> int:
        """Characters of the longest stretch; 0 where there is none."""
        return max((stretch.length for stretch in self.stretches), default=0)

    @property
    def share(self) -> float:
        """Of the characters."""
        return self.copied / self.characters if self.characters else 0.0

    def to_json(self) -> dict[str, Any]:
        """The figures by name, and where the stretches are."""
        stretches = [asdict(stretch) for stretch in self.stretches]
        return {"longest": self.longest, "share": self.share, "stretches": stretches}


def find_copies(text: str, index: CopyIndex) -> Copied:
    """All stretches of a text that are copied, and how much they make up."""
    stretches = tuple(index.stretches(text))
    copied = end = 0
    for stretch in stretches:
        stop = stretch.start + stretch.length
        copied += max(0, stop - max(end, stretch.start))
        end = max(end, stop)
    return Copied(stretches=stretches, characters=len(text), copied=copied)

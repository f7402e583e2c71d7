"""The training, validation and test splits: where they end in a text, which documents belong to which, and splits that
are texts of their own, as the official splits of a benchmark are."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charlm.config import CorpusConfig
from charlm.data.documents import Part
from charlm.data.registry import NamedCorpus
from charlm.data.sources import TextLike, names_text, not_found
from charlm.errors import ConfigError, CorpusError

SPLITS = ("train", "valid", "test")
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


class HeldOutTexts(NamedTuple):
    """The texts that are a whole validation and test split."""

    valid: TextLike | None = None
    test: TextLike | None = None

    def or_official(self, named: NamedCorpus | None) -> "HeldOutTexts":
        """These texts, or if there are none, the official splits of a named corpus."""
        if any(self) or named is None:
            return self
        return HeldOutTexts(*(part.name if (part := named.held_out.get(name)) else None for name in ("valid", "test")))

    @property
    def default_splits(self) -> Shares | None:
        """The default shares of the training text; None for those of a text without held-out texts."""
        if self.valid is not None:
            return (100.0, 0.0, 0.0)
        return None if self.test is None else (95.0, 5.0, 0.0)

    def arguments(self) -> dict[str, tuple[str, ...] | None]:
        """For each, the arguments with which it is found from any folder; nothing is read.

        Raises `CorpusError` for a text that isn't there, `ConfigError` for standard input.
        """
        return {
            name: None if text is None else _absolute(text, option=f"--{name}") for name, text in self._asdict().items()
        }


def _absolute(text: TextLike, *, option: str) -> tuple[str, ...]:
    """The arguments of a text, with absolute paths."""
    arguments = [str(text)] if isinstance(text, str | Path) else [str(part) for part in text]
    for argument in arguments:
        if argument == "-":
            raise ConfigError(f"{option} can't be standard input; name a file")
        if not names_text(argument):
            raise CorpusError(f"{option}: {not_found(argument)}")
    return tuple(str(Path(name).resolve()) if os.path.exists(name) else name for name in arguments)


def check_splits(splits: Shares, *, valid: bool, test: bool) -> None:
    """Raise `ConfigError` if the training text would give a share to a split that is a text of its own."""
    for option, given, share in (("--valid", valid, splits[1]), ("--test", test, splits[2])):
        if given and share > 0:
            text = "/".join(f"{part:g}" for part in splits)
            raise ConfigError(
                f"{option} names the whole split, but --splits {text} also takes one from the training text; leave out "
                "--splits"
            )

"""Segments: the runs of tokens that rows read, how documents are cut into them, and the windows of a group of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.data.token_split import TokenSplit
from charlm.data.windows.window import IGNORE, Past, Window

SECTION = 1 << 20
"""Documents planned at a time, so that a plan's memory is bounded."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Runs of tokens to predict: row r reads ids[start[r] : start[r] + length[r]] and predicts each one's successor."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    context: NDArray[np.int64] | None = None
    """How many of a row's first targets do not count, since its state is still that of a text that begins here, or
    since they are the source of a pair."""

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> "Segments":
        return Segments(self.start[rows], self.length[rows], None if self.context is None else self.context[rows])

    @property
    def counted(self) -> int:
        """How many targets count."""
        length = int(self.length.sum())
        return length if self.context is None else length - int(np.minimum(self.context, self.length).sum())


def sections_of(split: TokenSplit) -> int:
    """The number of sections that the documents of a split are planned in."""
    return -(-split.facts.documents // SECTION)


def documents_of(split: TokenSplit, section: int | None) -> Segments:
    """Whole documents, of one section or of all; each has one target fewer than tokens."""
    first = (section or 0) * SECTION
    last = len(split.starts) if section is None else first + SECTION + 1
    starts = np.asarray(split.starts[first:last])
    return Segments(starts[:-1], np.diff(starts) - 1, sources_of(split, first, first + len(starts) - 1))


def sources_of(split: TokenSplit, first: int, last: int) -> NDArray[np.int64] | None:
    """How many of the targets of each document from `first` to before `last` belong to its source; None without
    pairs."""
    return None if split.targets is None else split.targets[first:last] - np.asarray(split.starts[first:last]) - 1


def cut(documents: Segments, longest: int, rng: np.random.Generator | None) -> Segments:
    """Cut documents into segments of `longest` targets; with `rng` a document's first segment is randomly shorter."""
    whole = documents.length <= longest
    starts, lengths = [documents.start[whole]], [documents.length[whole]]
    for start, length in zip(documents.start[~whole].tolist(), documents.length[~whole].tolist(), strict=True):
        lead = longest if rng is None else int(rng.integers(longest // 2, longest)) + 1
        cuts = np.concatenate(([0], np.arange(lead, length, longest), [length]))
        starts.append(start + cuts[:-1])
        lengths.append(np.diff(cuts))
    return Segments(np.concatenate(starts), np.concatenate(lengths))


def with_context(split: TokenSplit, segments: Segments, context: int) -> Segments:
    """The segments with up to `context` tokens of their document before them."""
    document = np.searchsorted(split.starts, segments.start, side="right") - 1
    start = np.maximum(np.asarray(split.starts)[document], segments.start - context)
    return Segments(start, segments.length + segments.start - start, segments.start - start)


def grouped(segments: Segments, size: NDArray[Any], batch_size: int) -> list[Segments]:
    """Groups of B segments of similar size, the shortest in the last, incomplete group; longest row first in each."""
    order = np.argsort(-size, kind="stable")
    groups = np.split(order, range(batch_size, len(order), batch_size))
    return [segments[group[np.argsort(-segments.length[group], kind="stable")]] for group in groups]


def walk(
    split: TokenSplit,
    group: Segments,
    seq_len: int,
    *,
    first: int = 0,
    equal: bool = True,
    rows: slice = slice(None),
) -> Iterator[Window]:
    """The windows of one group (longest row first) from left to right, from window `first` on; of equal length, or all
    but the last of `seq_len` tokens. Of each window only `rows` are read; `Window.tokens` counts all of them."""
    longest = int(group.length.max())
    count = -(-longest // seq_len)
    steps = -(-longest // count) if equal else seq_len
    for index in range(first, count):
        lengths = np.clip(group.length - index * steps, 0, steps)
        lengths = lengths[lengths > 0]
        width = int(lengths[0])
        unscored = np.zeros_like(lengths)
        if group.context is not None:
            unscored = np.clip(group.context[: len(lengths)] - index * steps, 0, lengths)
        tokens = int((lengths - unscored).sum())
        starts = (group.start + index * steps)[: len(lengths)][rows]
        lengths, unscored = lengths[rows], unscored[rows]
        ids = np.zeros((len(lengths), width + 1), dtype=np.int64)
        for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
            ids[row, : length + 1] = split.read(start, start + length + 1)
        targets = ids[:, 1:]
        if lengths.min(initial=width) < width or unscored.any():
            places = np.arange(width)
            targets = np.where((unscored[:, None] <= places) & (places < lengths[:, None]), targets, IGNORE)
        yield Window(
            ids=torch.from_numpy(np.ascontiguousarray(ids[:, :-1].T)),  # (T, B)
            targets=torch.from_numpy(np.ascontiguousarray(targets.T)),  # (T, B)
            fresh=index == 0,
            tokens=tokens,
            starts=starts,
            past=Past(split, starts),
            labels=split.labels_at(starts) if index == 0 else None,
        )

"""Windows (T, B) over the documents of a split, for truncated backpropagation through time and for scoring.

Long documents are cut into stretches; stretches and short documents of like length are put side by side in a group of
at most B rows, the longest first, and the group is walked from left to right in windows of at most T tokens, so that
the state carries from window to window. Rows that have ended are left out of the next window: it takes up the state of
the first B rows of the last. The order is a pure function of seed and epoch: a cursor of five numbers says where a run
is, and continues it exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.data.dataset import TokenSplit

IGNORE = -100
"""The target of a padded place: torch's cross-entropy leaves it out."""

_STRETCH = 8192  # tokens of a long document that a row follows before its state is reset
_SECTION = 1 << 20  # documents planned at a time, so that a plan's memory is bounded
_JITTER = 0.03  # how far lengths may be off when documents are grouped by length


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in the endless sequence of training windows."""

    epoch: int = 0
    section: int = 0
    group: int = 0
    window: int = 0
    tokens: int = 0
    """Targets seen in this epoch."""


@dataclass(frozen=True, slots=True)
class Window:
    """One step's tokens."""

    ids: torch.Tensor
    """Input tokens, (T, B) int64."""
    targets: torch.Tensor
    """The tokens that follow, (T, B) int64, `IGNORE` where there is none."""
    fresh: bool
    """Whether the rows begin here, so that the state of an empty past goes in; else the first B rows of the last
    window's state do. The rows of a group begin together, so that one flag serves for all."""
    tokens: int
    """Targets that count."""
    starts: NDArray[np.int64]
    """The place in the split at which each row begins, (B,)."""
    cursor: Cursor
    """Where the next window begins."""

    @property
    def mask(self) -> torch.Tensor:
        """True where a target counts, (T, B) bool."""
        return self.targets != IGNORE


@dataclass(frozen=True, slots=True)
class Stretches:
    """Runs of tokens to predict: row r reads ids[start[r] : start[r] + length[r]] and predicts each one's successor."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> "Stretches":
        return Stretches(self.start[rows], self.length[rows])


def carry(states: LayerStates | None, window: Window) -> LayerStates | None:
    """The states that go into a window: those after the last one, of the rows that go on, cut off from its gradients.

    None is the initial state, which goes in where the rows of the window begin.
    """
    return None if window.fresh or states is None else keep_rows(states, window.ids.shape[1])


def keep_rows(states: LayerStates, rows: int) -> LayerStates:
    """The states of the first rows, cut off from the graph of gradients."""
    return tuple(tuple(part[:rows].detach() for part in state) for state in states)


def training_windows(
    split: TokenSplit, *, batch_size: int, seq_len: int, seed: int, cursor: Cursor | None = None
) -> Iterator[Window]:
    """Windows without end, epoch after epoch, each in another order, from `cursor` on.

    Args:
        split: what to read; must not be empty.
        batch_size: B, most rows of a window.
        seq_len: T, most tokens of a row.
        seed: of the order.
        cursor: that of the last window seen; None is the beginning.
    """
    at = cursor or Cursor()
    sections = -(-split.facts.documents // _SECTION)
    while True:
        order = np.random.default_rng([seed, at.epoch]).permutation(sections)
        while at.section < sections:
            groups = plan(
                split, int(order[at.section]), batch_size, seq_len, np.random.default_rng([seed, at.epoch, at.section])
            )
            while at.group < len(groups):
                for window in walk(split, groups[at.group], seq_len, first=at.window):
                    at = replace(at, window=at.window + 1, tokens=at.tokens + window.tokens)
                    yield replace(window, cursor=at)
                at = replace(at, group=at.group + 1, window=0)
            at = replace(at, section=at.section + 1, group=0)
        at = Cursor(epoch=at.epoch + 1)


def plan(split: TokenSplit, section: int, batch_size: int, seq_len: int, rng: np.random.Generator) -> list[Stretches]:
    """The groups of one section of documents, in the order in which an epoch takes them."""
    documents = _documents(split, section)
    total = int(documents.length.sum())
    rows = max(1, min(batch_size, total // seq_len))
    rounds = max(1, round(total / (rows * _STRETCH)))
    long = int(np.count_nonzero(documents.length > total / (rows * rounds)))
    # A document that is cut at a random place ends with a piece more, hence `- long`.
    stretch = max(seq_len, -(-total // max(1, rows * rounds - long)))
    stretches = _cut(documents, stretch, rng)
    groups = _grouped(stretches, stretches.length * rng.uniform(1 - _JITTER, 1 + _JITTER, len(stretches)), batch_size)
    return [groups[index] for index in rng.permutation(len(groups))]


def validation_windows(split: TokenSplit, *, tokens: int, batch_size: int, seq_len: int) -> Iterator[Window]:
    """A sample of a split, spread evenly over it and always the same, in stretches that begin with an empty past.

    It scores about `tokens` targets (all, if there are fewer) and costs little; the exact score of a whole split is
    `charlm.evaluation.score`'s.
    """
    stretches = _cut(_documents(split, None), max(seq_len, min(2048, -(-split.facts.tokens // batch_size))), None)
    wanted = max(1, min(len(stretches), round(len(stretches) * tokens / split.facts.tokens)))
    chosen = stretches[np.linspace(0, len(stretches) - 1, wanted).round().astype(np.int64)]
    yield from _all(split, chosen, batch_size, seq_len)


def document_windows(split: TokenSplit, *, batch_size: int, seq_len: int) -> Iterator[Window]:
    """Every target of a split exactly once, each document whole and from an empty past."""
    for section in range(-(-split.facts.documents // _SECTION)):
        yield from _all(split, _documents(split, section), batch_size, seq_len)


def walk(split: TokenSplit, group: Stretches, seq_len: int, *, first: int = 0) -> Iterator[Window]:
    """The windows of one group, longest row first, from left to right, of equal width, `first` of them left out."""
    longest = int(group.length.max())
    count = -(-longest // seq_len)
    width = -(-longest // count)
    for index in range(first, count):
        here = np.clip(group.length - index * width, 0, width)
        here = here[here > 0]
        across = int(here[0])
        starts = (group.start + index * width)[: len(here)]
        ids = np.zeros((len(here), across + 1), dtype=np.int64)
        for row, (start, size) in enumerate(zip(starts.tolist(), here.tolist(), strict=True)):
            ids[row, : size + 1] = split.read(start, start + size + 1)
        targets = ids[:, 1:]
        if here[-1] < across:
            targets = np.where(np.arange(across) < here[:, None], targets, IGNORE)
        yield Window(
            torch.from_numpy(np.ascontiguousarray(ids[:, :-1].T)),  # (T, B)
            torch.from_numpy(np.ascontiguousarray(targets.T)),  # (T, B)
            index == 0,
            int(here.sum()),
            starts,
            Cursor(),
        )


def _documents(split: TokenSplit, section: int | None) -> Stretches:
    """The documents of a section, or of all, whole: each has as many targets as tokens less one."""
    first = (section or 0) * _SECTION
    last = len(split.starts) if section is None else first + _SECTION + 1
    starts = np.asarray(split.starts[first:last])
    return Stretches(starts[:-1], np.diff(starts) - 1)


def _cut(documents: Stretches, longest: int, rng: np.random.Generator | None) -> Stretches:
    """Cut documents into stretches of `longest` targets; with `rng` the first stretch of each is shorter by chance."""
    whole = documents.length <= longest
    starts, lengths = [documents.start[whole]], [documents.length[whole]]
    for start, length in zip(documents.start[~whole].tolist(), documents.length[~whole].tolist(), strict=True):
        lead = longest if rng is None else int(rng.integers(longest // 2, longest)) + 1
        cuts = np.concatenate(([0], np.arange(lead, length, longest), [length]))
        starts.append(start + cuts[:-1])
        lengths.append(np.diff(cuts))
    return Stretches(np.concatenate(starts), np.concatenate(lengths))


def _grouped(stretches: Stretches, size: NDArray[Any], batch_size: int) -> list[Stretches]:
    """Stretches of like size in groups of B, the shortest in what is left over, each group with its longest first."""
    order = np.argsort(-size, kind="stable")
    groups = np.split(order, range(batch_size, len(order), batch_size))
    return [stretches[group[np.argsort(-stretches.length[group], kind="stable")]] for group in groups]


def _all(split: TokenSplit, stretches: Stretches, batch_size: int, seq_len: int) -> Iterator[Window]:
    """All of the stretches, the longest first, side by side with others of like length."""
    for group in _grouped(stretches, stretches.length, batch_size):
        yield from walk(split, group, seq_len)

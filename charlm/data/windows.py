"""Windows (T, B) over the documents of a split, for truncated backpropagation through time and for scoring.

Long documents are cut into segments. Segments and short documents of similar length form groups of at most B rows,
longest first. A group is read from left to right in windows of at most T tokens, and the state carries from window to
window. A row that has ended is absent from the next window, which continues from the state of the first B rows of the
last. The order is a pure function of seed and epoch: a cursor of five numbers says where a run is, and a run continues
from it exactly.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates, State
from charlm.config import JsonConfig
from charlm.data.dataset import TokenSplit
from charlm.data.labels.codes import Codes
from charlm.errors import RunError

IGNORE = -100
"""The target of a padded position: torch's cross-entropy ignores it."""

_SEGMENT = 8192  # tokens of a long document that a row reads before its state is reset
_SEGMENT_OF_SAMPLE, _CONTEXT_OF_SAMPLE = 64, 64  # tokens; see docs/notes/experiments.md
_SEGMENT_OF_WHOLE, _CONTEXT_OF_WHOLE = 2048, 256
_SECTION = 1 << 20  # documents planned at a time, so that a plan's memory is bounded
_SAMPLED = 1 << 16  # documents that are planned to learn how many tokens a step has
BLOCK_DOCUMENTS, BLOCK_TOKENS = 4096, 1 << 22  # most of a block; see `block_windows`
_JITTER = 0.03  # relative change of the lengths by which documents are grouped, so that groups differ between epochs


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor(JsonConfig):
    """A position in the endless sequence of training windows."""

    epoch: int = 0
    section: int = 0
    group: int = 0
    window: int = 0
    tokens: int = 0
    """Targets seen in this epoch."""


@dataclass(frozen=True, slots=True)
class Window:
    """The tokens of one step."""

    ids: torch.Tensor
    """Input tokens, (T, B) int64."""
    targets: torch.Tensor
    """The tokens that follow, (T, B) int64; `IGNORE` at padded positions."""
    fresh: bool
    """Whether the rows start here, from the initial state; otherwise they continue from the state of the first B rows
    of the last window. The rows of a group start together, so one flag serves all."""
    tokens: int
    """Targets that count, also in rows that other processes read."""
    starts: NDArray[np.int64]
    """The position in the split at which each row begins, (B,)."""
    cursor: Cursor
    """Where the next window begins."""
    past: "Past | None" = None
    """What stands before the rows in their documents."""
    labels: Codes | None = None
    """The labels of the documents of fresh rows, (B, C)."""

    @property
    def mask(self) -> torch.Tensor:
        """True where a target counts, (T, B) bool."""
        return self.targets != IGNORE

    def share(self, rows: slice) -> "Window":
        """The same window with some of its rows, possibly none; `tokens` still counts those of all."""
        past = None if self.past is None else self.past.share(rows)
        ids, targets = self.ids[:, rows].contiguous(), self.targets[:, rows].contiguous()
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, ids=ids, targets=targets, starts=self.starts[rows], past=past, labels=labels)


class Past:
    """The text before each row of a window in its document."""

    def __init__(self, split: TokenSplit, starts: NDArray[np.int64]) -> None:
        """`starts` are the positions in `split` at which the rows begin, (B,)."""
        self._split, self._starts = split, starts
        self.state: State | None = None
        """The state of a match after these texts, kept by `LanguageModel.carry` for the next time."""

    def share(self, rows: slice) -> "Past":
        """The same for some of the rows."""
        return Past(self._split, self._starts[rows])

    def read(self, most: int) -> list[NDArray[Any]]:
        """The last tokens before each row, at most `most`."""
        documents = np.searchsorted(self._split.starts, self._starts, side="right") - 1
        firsts = np.maximum(np.asarray(self._split.starts)[documents], self._starts - most)
        return [
            self._split.read(first, start) for first, start in zip(firsts.tolist(), self._starts.tolist(), strict=True)
        ]


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


def carry(states: LayerStates | None, window: Window) -> LayerStates | None:
    """The states with which a window starts: those after the last window, of the rows that continue, detached.

    None is the initial state, with which fresh rows start. Raises `RunError` for states of fewer rows, which are not
    those of the last window.
    """
    if window.fresh or states is None:
        return None
    rows, saved = window.ids.shape[1], len(states[0][0])
    if saved < rows:
        raise RunError(f"the run was saved with {saved} sequences per step, but {rows} continue; start a new run")
    return keep_rows(states, rows)


def keep_rows(states: LayerStates, rows: int) -> LayerStates:
    """The states of the first `rows` rows, detached from the gradient graph."""
    return tuple(tuple(part[:rows].detach() for part in state) for state in states)


def training_windows(
    split: TokenSplit,
    *,
    batch_size: int,
    seq_len: int,
    seed: int,
    cursor: Cursor | None = None,
    rows: slice = slice(None),
) -> Iterator[Window]:
    """Endless windows, epoch after epoch, each epoch in another order.

    Args:
        split: the split to read; must not be empty.
        batch_size: B, the most rows of a window.
        seq_len: T, the most tokens in a row of a window.
        seed: the random seed of the order.
        cursor: the cursor of the last window read; None starts at the beginning.
        rows: the rows of each window to read, possibly none; they are the share of one of several processes.
    """
    position = cursor or Cursor()
    sections = -(-split.facts.documents // _SECTION)
    while True:
        order = np.random.default_rng([seed, position.epoch]).permutation(sections)
        while position.section < sections:
            groups = plan(
                split,
                int(order[position.section]),
                batch_size,
                seq_len,
                np.random.default_rng([seed, position.epoch, position.section]),
            )
            while position.group < len(groups):
                for window in walk(split, groups[position.group], seq_len, first=position.window, rows=rows):
                    position = replace(position, window=position.window + 1, tokens=position.tokens + window.tokens)
                    yield replace(window, cursor=position)
                position = replace(position, group=position.group + 1, window=0)
            position = replace(position, section=position.section + 1, group=0)
        position = Cursor(epoch=position.epoch + 1)


def plan(split: TokenSplit, section: int, batch_size: int, seq_len: int, rng: np.random.Generator) -> list[Segments]:
    """The groups of one section of documents, in the order of one epoch."""
    return _plan(_documents(split, section), batch_size, seq_len, rng)


def mean_window(split: TokenSplit, *, batch_size: int, seq_len: int) -> tuple[float, float]:
    """Mean T and mean targets of a training window.

    Measured on an epoch of at most 65,536 documents. A short text or unequal documents have fewer targets than B T.
    """
    documents = _documents(split, 0)
    documents = documents[:: -(-len(documents) // _SAMPLED)]
    groups = _plan(documents, batch_size, seq_len, np.random.default_rng(0))
    longest = np.array([group.length[0] for group in groups])
    windows = int((-(-longest // seq_len)).sum())
    return float(longest.sum()) / windows, documents.counted / windows


def most_rows(split: TokenSplit, *, batch_size: int, seq_len: int) -> int:
    """The most rows of a training window: fewer than `batch_size` for a text too short to fill them."""
    return max(map(len, plan(split, 0, batch_size, seq_len, np.random.default_rng(0))))


def _plan(documents: Segments, batch_size: int, seq_len: int, rng: np.random.Generator) -> list[Segments]:
    total = int(documents.length.sum())
    rows = max(1, min(batch_size, total // seq_len))
    rounds = max(1, round(total / (rows * _SEGMENT)))
    long = int(np.count_nonzero(documents.length > total / (rows * rounds)))
    # A document cut at a random offset yields one more segment, hence `- long`.
    longest = max(seq_len, -(-total // max(1, rows * rounds - long)))
    segments = _cut(documents, longest, rng) if documents.context is None else documents
    groups = _grouped(segments, segments.length * rng.uniform(1 - _JITTER, 1 + _JITTER, len(segments)), batch_size)
    return [groups[index] for index in rng.permutation(len(groups))]


def sample_windows(split: TokenSplit, *, tokens: int, batch_size: int, seq_len: int) -> Iterator[Window]:
    """A fixed sample of a split: many short segments, spread evenly over it.

    A segment of a long document also reads the tokens before it, which do not count as targets. With these, its loss is
    that of the same tokens in the whole document, up to a tenth of a per cent (docs/notes/experiments.md). Pairs are
    read whole.

    Args:
        split: what to read; must not be empty.
        tokens: about how many targets count; all of the split, if it has no more.
        batch_size: B, most rows of a window.
        seq_len: T, most tokens of a window's row.
    """
    whole = split.facts.tokens <= tokens
    longest, context = (_SEGMENT_OF_WHOLE, _CONTEXT_OF_WHOLE) if whole else (_SEGMENT_OF_SAMPLE, _CONTEXT_OF_SAMPLE)
    segments = documents = _documents(split, None)
    if documents.context is None:
        segments = _cut(documents, longest, None)
    wanted = max(1, min(len(segments), round(len(segments) * tokens / split.facts.tokens)))
    chosen = segments[np.linspace(0, len(segments) - 1, wanted).round().astype(np.int64)]
    chosen = _with_context(split, chosen, context) if documents.context is None else chosen
    yield from _windows(split, chosen, batch_size, seq_len)


def document_windows(split: TokenSplit, *, batch_size: int, seq_len: int) -> Iterator[Window]:
    """Every target of a split exactly once, each document whole and from the initial state."""
    for section in range(-(-split.facts.documents // _SECTION)):
        yield from _windows(split, _documents(split, section), batch_size, seq_len)


def block_windows(
    split: TokenSplit,
    *,
    batch_size: int,
    width_for: Callable[[int], int],
    owns: Callable[[Segments], bool] = lambda group: True,
) -> Iterator[Window]:
    """Like `document_windows`, but a window depends only on the documents of its block, so that a text can be scored
    as it arrives, with the same windows and so the same rounding as from a file.

    Args:
        split: what to read; must not be empty.
        batch_size: B, the most rows of a window.
        width_for: T, the most tokens in a row, for a number of rows.
        owns: whether to read a group of `block_groups`; called for each in turn.
    """
    for group in filter(owns, block_groups(split, batch_size)):
        yield from walk(split, group, width_for(len(group)), equal=bool(group.length[0] < BLOCK_TOKENS))


def block_groups(split: TokenSplit, batch_size: int) -> Iterator[Segments]:
    """The documents of each block, in groups of at most B. A block has at most `BLOCK_DOCUMENTS` and `BLOCK_TOKENS`."""
    first, documents = 0, len(split.starts) - 1
    while first < documents:
        starts = np.asarray(split.starts[first : first + BLOCK_DOCUMENTS + 1])
        count = max(1, int(np.searchsorted(starts, starts[0] + BLOCK_TOKENS, side="right")) - 1)
        block = Segments(starts[:count], np.diff(starts[: count + 1]) - 1, _sources(split, first, first + count))
        yield from _grouped(block, block.length, batch_size)
        first += count


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
            torch.from_numpy(np.ascontiguousarray(ids[:, :-1].T)),  # (T, B)
            torch.from_numpy(np.ascontiguousarray(targets.T)),  # (T, B)
            index == 0,
            tokens,
            starts,
            Cursor(),
            Past(split, starts),
            split.labels_at(starts) if index == 0 else None,
        )


def _documents(split: TokenSplit, section: int | None) -> Segments:
    """Whole documents, of one section or of all; each has one target fewer than tokens."""
    first = (section or 0) * _SECTION
    last = len(split.starts) if section is None else first + _SECTION + 1
    starts = np.asarray(split.starts[first:last])
    return Segments(starts[:-1], np.diff(starts) - 1, _sources(split, first, first + len(starts) - 1))


def _sources(split: TokenSplit, first: int, last: int) -> NDArray[np.int64] | None:
    """How many of the targets of each document from `first` to before `last` belong to its source; None without
    pairs."""
    return None if split.targets is None else split.targets[first:last] - np.asarray(split.starts[first:last]) - 1


def _cut(documents: Segments, longest: int, rng: np.random.Generator | None) -> Segments:
    """Cut documents into segments of `longest` targets; with `rng` a document's first segment is randomly shorter."""
    whole = documents.length <= longest
    starts, lengths = [documents.start[whole]], [documents.length[whole]]
    for start, length in zip(documents.start[~whole].tolist(), documents.length[~whole].tolist(), strict=True):
        lead = longest if rng is None else int(rng.integers(longest // 2, longest)) + 1
        cuts = np.concatenate(([0], np.arange(lead, length, longest), [length]))
        starts.append(start + cuts[:-1])
        lengths.append(np.diff(cuts))
    return Segments(np.concatenate(starts), np.concatenate(lengths))


def _with_context(split: TokenSplit, segments: Segments, context: int) -> Segments:
    """The segments with up to `context` tokens of their document before them."""
    document = np.searchsorted(split.starts, segments.start, side="right") - 1
    start = np.maximum(np.asarray(split.starts)[document], segments.start - context)
    return Segments(start, segments.length + segments.start - start, segments.start - start)


def _grouped(segments: Segments, size: NDArray[Any], batch_size: int) -> list[Segments]:
    """Groups of B segments of similar size, the shortest in the last, incomplete group; longest row first in each."""
    order = np.argsort(-size, kind="stable")
    groups = np.split(order, range(batch_size, len(order), batch_size))
    return [segments[group[np.argsort(-segments.length[group], kind="stable")]] for group in groups]


def _windows(split: TokenSplit, segments: Segments, batch_size: int, seq_len: int) -> Iterator[Window]:
    """The windows of all segments, longest first, grouped by length."""
    for group in _grouped(segments, segments.length, batch_size):
        yield from walk(split, group, seq_len)

"""Training windows: the order of an epoch, and how many rows and tokens its windows have."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from charlm.data.token_split import TokenSplit
from charlm.data.windows.segments import Segments, cut, documents_of, grouped, sections_of, walk
from charlm.data.windows.window import Cursor, Window

_SEGMENT = 8192  # tokens of a long document that a row reads before its state is reset
_SAMPLED = 1 << 16  # documents that are planned to learn how many tokens a step has
_JITTER = 0.03  # relative change of the lengths by which documents are grouped, so that groups differ between epochs


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
    sections = sections_of(split)
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
    return _plan(documents_of(split, section), batch_size, seq_len, rng)


def mean_window(split: TokenSplit, *, batch_size: int, seq_len: int) -> tuple[float, float]:
    """Mean T and mean targets of a training window.

    Measured on an epoch of at most 65,536 documents. A short text or unequal documents have fewer targets than B T.
    """
    documents = documents_of(split, 0)
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
    # A document cut at a random offset yields one more segment, so `- long`.
    longest = max(seq_len, -(-total // max(1, rows * rounds - long)))
    segments = cut(documents, longest, rng) if documents.context is None else documents
    groups = grouped(segments, segments.length * rng.uniform(1 - _JITTER, 1 + _JITTER, len(segments)), batch_size)
    return [groups[index] for index in rng.permutation(len(groups))]

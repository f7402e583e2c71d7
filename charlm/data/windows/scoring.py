"""Windows for scoring: of a sample of a split, of all its documents, or of the documents of a block at a time."""

from collections.abc import Callable, Iterator

import numpy as np

from charlm.data.token_split import TokenSplit
from charlm.data.windows.segments import (
    Segments,
    cut,
    documents_of,
    grouped,
    sections_of,
    sources_of,
    walk,
    with_context,
)
from charlm.data.windows.window import Window

_SEGMENT_OF_SAMPLE, _CONTEXT_OF_SAMPLE = 64, 64  # tokens; see docs/notes/experiments.md
_SEGMENT_OF_WHOLE, _CONTEXT_OF_WHOLE = 2048, 256
BLOCK_DOCUMENTS, BLOCK_TOKENS = 4096, 1 << 22  # most of a block; see `block_windows`


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
    segments = documents = documents_of(split, None)
    if documents.context is None:
        segments = cut(documents, longest, None)
    wanted = max(1, min(len(segments), round(len(segments) * tokens / split.facts.tokens)))
    chosen = segments[np.linspace(0, len(segments) - 1, wanted).round().astype(np.int64)]
    chosen = with_context(split, chosen, context) if documents.context is None else chosen
    yield from _windows(split, chosen, batch_size, seq_len)


def document_windows(split: TokenSplit, *, batch_size: int, seq_len: int) -> Iterator[Window]:
    """Every target of a split exactly once, each document whole and from the initial state."""
    for section in range(sections_of(split)):
        yield from _windows(split, documents_of(split, section), batch_size, seq_len)


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
        block = Segments(starts[:count], np.diff(starts[: count + 1]) - 1, sources_of(split, first, first + count))
        yield from grouped(block, block.length, batch_size)
        first += count


def _windows(split: TokenSplit, segments: Segments, batch_size: int, seq_len: int) -> Iterator[Window]:
    """The windows of all segments, longest first, grouped by length."""
    for group in grouped(segments, segments.length, batch_size):
        yield from walk(split, group, seq_len)

"""Counts of all n-grams of a text up to a maximum length, by one sort.

No n-gram spans two documents: BOS can only be its first token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.progress import Progress, silent

Ints = NDArray[np.int64]
Stream = NDArray[Any] | Sequence[NDArray[Any]]
"""Documents one after the other, each starting with BOS, (N,); or several such arrays. An array may start within a
document, and no n-gram spans two arrays."""


@dataclass(frozen=True, slots=True)
class NgramLevel:
    """The distinct k-grams of one k > 1, sorted by their first k - 1 tokens, then by the last."""

    first: NDArray[np.int32]
    """The k-grams that start with (k-1)-gram i are those from first[i] up to first[i + 1]; a token is its own index."""
    tokens: NDArray[Any]
    """The last token."""
    suffixes: NDArray[np.int32]
    """The index of the last k - 1 tokens among the (k-1)-grams."""
    counts: NDArray[np.int32]
    """Occurrences of each."""
    runs: NDArray[np.int32]
    """K-gram i starts at the positions `NgramCounts.places`[runs[i] : runs[i] + counts[i]]."""
    opening: slice
    """The k-grams that start with BOS."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of a text, with what is needed to count the text without it."""

    begin: int
    end: int
    before: NDArray[np.int32]
    """How many of the first 0, 1, 2... elements of `NgramCounts.places` lie in the fold."""
    near: Ints
    """Indices of the places so shortly before the fold that an n-gram starting there may reach into it."""


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """The n-grams of a text, from which a model of any order up to `order` can be estimated."""

    vocab_size: int
    bos: int
    counts: Ints
    """Occurrences of each token, (V,); 0 for BOS, which is never predicted."""
    levels: tuple[NgramLevel, ...]
    """One for each length, bigrams first."""
    text: NDArray[Any]
    """The tokens that were counted, (N,), with V between arrays."""
    places: NDArray[np.int32]
    """The positions of `text`, sorted by the n-gram that starts there."""

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.levels) + 1

    def fold(self, index: int, folds: int) -> Fold:
        """Part `index` of the text in `folds` equal parts; see `fold_of`."""
        begin, end = (-(-part * len(self.text) // folds) for part in (index, index + 1))
        before = np.zeros(len(self.places) + 1, dtype=np.int32)
        np.cumsum((self.places >= begin) & (self.places < end), out=before[1:])
        near = np.flatnonzero((self.places > begin - self.order) & (self.places < begin))
        return Fold(begin, end, before, near)

    def outside(self, fold: Fold | None, length: int) -> NDArray[Any]:
        """Occurrences of each n-gram of a length that have no token in a fold; None counts all."""
        if length == 1:
            tokens = self.text[fold.begin : fold.end] if fold else self.text[:0]
            counted = tokens[(tokens != self.bos) & (tokens < self.vocab_size)]
            return self.counts - np.bincount(counted, minlength=self.vocab_size)
        level = self.levels[length - 2]
        if fold is None:
            return level.counts
        ends = level.runs + level.counts
        inside = fold.before[ends] - fold.before[level.runs]
        reaching = fold.near[self.places[fold.near] > fold.begin - length]
        index = np.searchsorted(level.runs, reaching, side="right") - 1
        reaching, index = reaching[index >= 0], index[index >= 0]
        np.add.at(inside, index[reaching < ends[index]], 1)
        outside: NDArray[Any] = level.counts - inside
        return outside


def count_ngrams(ids: Stream, *, order: int, vocab_size: int, bos: int, progress: Progress = silent) -> NgramCounts:
    """Count all n-grams of up to `order` tokens.

    The positions of the text are sorted by the `order` tokens that start there. For every k, each k-gram is then a run
    of positions, and the runs are in the order of the levels.

    Args:
        ids: the tokens of the text.
        order: length of the longest n-gram, at least 1.
        vocab_size: V, which every id is below.
        bos: the token that starts a document.
        progress: called with the number of lengths counted.

    Raises `ValueError` for an order below 1.
    """
    if order < 1:
        raise ValueError(f"order is {order}; it must be at least 1")
    text = _joined(ids, order, vocab_size)
    places = _sorted_places(text, order)
    size = len(places)
    lasts = text.take(places)
    valid = lasts < vocab_size  # whether the k-gram at a place lies in one document
    new = np.ones(size, dtype=bool)  # whether it differs from its predecessor in the sorted order
    new[1:] = lasts[1:] != lasts[:-1]
    index = lasts.astype(np.int32)  # of the (k-1)-gram at each place, in sorted order
    counted = valid & (lasts != bos)
    counts = np.bincount(lasts[counted], minlength=vocab_size)
    levels: list[NgramLevel] = []
    shorter_ngrams, opening = vocab_size, slice(bos, bos + 1)
    for k in range(2, order + 1):
        progress("counting n-grams", k - 1, order)
        lasts = text[k - 1 :].take(places)
        new[1:] |= lasts[1:] != lasts[:-1]
        valid &= (lasts < vocab_size) & (lasts != bos)
        runs = np.flatnonzero(new)
        lengths = np.diff(runs, append=size)
        within = valid[runs]
        begins, lengths = runs[within].astype(np.int32), lengths[within].astype(np.int32)
        first = np.zeros(shorter_ngrams + 1, dtype=np.int32)
        np.cumsum(np.bincount(index[begins], minlength=shorter_ngrams), out=first[1:])
        opening = slice(int(first[opening.start]), int(first[opening.stop]))
        shorter = np.empty(size, dtype=np.int32)
        shorter[places] = index
        levels.append(NgramLevel(first, lasts[begins], shorter[places[begins] + 1], lengths, begins, opening))
        index = np.cumsum(new & valid, dtype=np.int32)
        index -= 1
        shorter_ngrams = len(begins)
    progress("counting n-grams", order, order)
    return NgramCounts(vocab_size, bos, counts, tuple(levels), text[: size - 1], places)


def fold_of(places: NDArray[Any], size: int, folds: int) -> Ints:
    """The fold of each position of a text of `size` tokens."""
    return np.minimum(places.astype(np.int64) * folds // max(1, size), folds - 1)


def _joined(ids: Stream, order: int, vocab_size: int) -> NDArray[Any]:
    """The text in the smallest type that fits V, with V between its arrays and `order` times at its end."""
    parts = [ids] if isinstance(ids, np.ndarray) else ids
    dtype = np.min_scalar_type(vocab_size)
    boundary = np.array([vocab_size], dtype=dtype)
    separated = [array for part in parts for array in (part.astype(dtype), boundary)]
    return np.concatenate([*separated, np.full(order, vocab_size, dtype=dtype)])


def _sorted_places(text: NDArray[Any], order: int) -> NDArray[np.int32]:
    """The positions of the text but the last `order`, sorted by the `order` tokens that start there.

    The first sort is by as many tokens as fit into 63 bits. Further sorts are by prefix doubling (Manber and Myers
    1990): by the rank of the first tokens and the rank of those after them.
    """
    used = np.bincount(text) > 0
    base = int(used.sum())
    short = np.cumsum(used)[text] - 1  # the tokens, renumbered without those that don't occur
    length = next(length for length in range(order, 0, -1) if base**length < 2**63)
    keys = np.zeros(len(text), dtype=np.int64)
    for offset in range(length):
        keys *= base
        keys[: len(text) - offset] += short[offset:]
    while length < order:
        step = min(length, order - length)
        ranks = _ranks(keys)
        keys = ranks * len(text)
        keys[:-step] += ranks[step:]
        length += step
    return np.argsort(keys[: len(text) - order]).astype(np.int32)


def _ranks(keys: Ints) -> Ints:
    """For each key, the number of distinct smaller keys."""
    places = np.argsort(keys)
    ordered = keys[places]
    ranks = np.empty_like(keys)
    ranks[places] = np.cumsum(np.diff(ordered, prepend=ordered[:1]) > 0)
    return ranks

"""Counts of the n-grams of a text, of all lengths up to a longest, by one sort.

No n-gram holds tokens of two documents: BOS can only be its first token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.progress import Progress, silent

Ints = NDArray[np.int64]
Stream = NDArray[Any] | Sequence[NDArray[Any]]
"""Documents one after the other, each of which begins with BOS, (N,); or several such arrays, each of which may begin
within a document, and which no n-gram spans."""


@dataclass(frozen=True, slots=True)
class NgramLevel:
    """The distinct k-grams of one k > 1, ordered by their first k - 1 tokens, then by the last."""

    first: NDArray[np.int32]
    """Where those that begin with each (k-1)-gram begin, and their number at the end; a token is its own index."""
    tokens: NDArray[Any]
    """The last token."""
    suffixes: NDArray[np.int32]
    """The index of the last k - 1 tokens among the (k-1)-grams."""
    counts: NDArray[np.int32]
    """How often each occurs."""
    runs: NDArray[np.int32]
    """Where in `NgramCounts.places` the places begin at which each begins; there are `counts` of them."""
    opening: slice
    """Those that begin with BOS."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of a text, and what it takes to count the text without it."""

    begin: int
    end: int
    before: NDArray[np.int32]
    """How many of the first 0, 1, 2... places, in their order, lie in the fold."""
    near: Ints
    """Which of the places lie so close before the fold that an n-gram may reach into it."""


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """The n-grams of a text; a model of any order up to the longest can be made of them."""

    vocab_size: int
    bos: int
    counts: Ints
    """How often each token occurs, (V,); 0 for BOS, which is never predicted."""
    levels: tuple[NgramLevel, ...]
    """Bigrams first."""
    text: NDArray[Any]
    """The tokens that were counted, (N,); V between parts."""
    places: NDArray[np.int32]
    """Where the n-grams of the text begin, in their order."""

    @property
    def order(self) -> int:
        """The length of the longest."""
        return len(self.levels) + 1

    def fold(self, index: int, folds: int) -> Fold:
        """One of as many equal parts of the text; see `fold_of`."""
        begin, end = (-(-each * len(self.text) // folds) for each in (index, index + 1))
        before = np.zeros(len(self.places) + 1, dtype=np.int32)
        np.cumsum((self.places >= begin) & (self.places < end), out=before[1:])
        near = np.flatnonzero((self.places > begin - self.order) & (self.places < begin))
        return Fold(begin, end, before, near)

    def outside(self, fold: Fold | None, length: int) -> NDArray[Any]:
        """How often each n-gram of a length occurs without a token in a fold; None leaves out nothing."""
        if length == 1:
            inside = self.text[fold.begin : fold.end] if fold else self.text[:0]
            counted = inside[(inside != self.bos) & (inside < self.vocab_size)]
            return self.counts - np.bincount(counted, minlength=self.vocab_size)
        level = self.levels[length - 2]
        if fold is None:
            return level.counts
        ends = level.runs + level.counts
        gone = fold.before[ends] - fold.before[level.runs]
        reaching = fold.near[self.places[fold.near] > fold.begin - length]
        index = np.searchsorted(level.runs, reaching, side="right") - 1
        reaching, index = reaching[index >= 0], index[index >= 0]
        np.add.at(gone, index[reaching < ends[index]], 1)
        left: NDArray[Any] = level.counts - gone
        return left


def count_ngrams(ids: Stream, *, order: int, vocab_size: int, bos: int, progress: Progress = silent) -> NgramCounts:
    """Count all n-grams of up to `order` tokens.

    The places of the text are sorted by the `order` tokens that begin there. For every k, each k-gram is then a run of
    places, and the run's order is that of the levels.

    Args:
        ids: the text.
        order: length of the longest n-gram, at least 1.
        vocab_size: V; every id is below it.
        bos: the token that begins a document.
        progress: told how many lengths are counted.
    """
    if order < 1:
        raise ValueError(f"order is {order}; it must be at least 1")
    text = _joined(ids, order, vocab_size)
    places = _sorted_places(text, order)
    size = len(places)
    lasts = text.take(places)
    valid = lasts < vocab_size  # whether the k-gram at a place lies within a document
    new = np.ones(size, dtype=bool)  # whether it differs from the one before it in order
    new[1:] = lasts[1:] != lasts[:-1]
    index = lasts.astype(np.int32)  # of the (k-1)-gram at each place, in order
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
    """The fold that each place of a text of `size` tokens lies in."""
    return np.minimum(places.astype(np.int64) * folds // max(1, size), folds - 1)


def _joined(ids: Stream, order: int, vocab_size: int) -> NDArray[Any]:
    """The text in the smallest type that holds V, with V between its parts and `order` times at its end."""
    parts = [ids] if isinstance(ids, np.ndarray) else ids
    dtype = np.min_scalar_type(vocab_size)
    between = np.array([vocab_size], dtype=dtype)
    pieces = [piece for part in parts for piece in (part.astype(dtype), between)]
    return np.concatenate([*pieces, np.full(order, vocab_size, dtype=dtype)])


def _sorted_places(text: NDArray[Any], order: int) -> NDArray[np.int32]:
    """The places of the text but for the last `order`, sorted by the `order` tokens from there on.

    As many tokens as go into 63 bits are sorted at once; then, by prefix doubling (Manber and Myers 1990), by the rank
    of the first tokens and that of those that follow them.
    """
    used = np.bincount(text) > 0
    base = int(used.sum())
    short = np.cumsum(used)[text] - 1  # the tokens that occur, numbered without gaps
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
    """How many distinct keys are smaller than each."""
    places = np.argsort(keys)
    ordered = keys[places]
    ranks = np.empty_like(keys)
    ranks[places] = np.cumsum(np.diff(ordered, prepend=ordered[:1]) > 0)
    return ranks

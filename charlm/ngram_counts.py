"""Counts of the n-grams of a text, of all lengths up to a longest, by one sort.

No n-gram holds tokens of two documents: BOS can only be its first token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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

    parents: NDArray[np.int32]
    """The index of the first k - 1 tokens among the (k-1)-grams; a single token is its own index."""
    tokens: NDArray[Any]
    """The last token."""
    suffixes: NDArray[np.int32]
    """The index of the last k - 1 tokens among the (k-1)-grams."""
    counts: NDArray[np.int32]
    """How often each occurs."""
    continuations: NDArray[np.int32]
    """How many distinct tokens come before it; where it begins with BOS, and for the longest, how often it occurs."""
    touching: NDArray[np.int32]
    """How often each occurs so that it has a token in a fold, (F, N)."""


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """The n-grams of a text; a model of any order up to the longest can be made of them."""

    vocab_size: int
    bos: int
    counts: Ints
    """How often each token occurs, (V,); 0 for BOS, which is never predicted."""
    continuations: Ints
    """How many distinct tokens come before each token, (V,)."""
    touching: NDArray[np.int32]
    """How often each token occurs in each fold, (F, V); 0 for BOS."""
    levels: tuple[NgramLevel, ...]
    """Bigrams first."""

    @property
    def order(self) -> int:
        """The length of the longest."""
        return len(self.levels) + 1

    @property
    def folds(self) -> int:
        """F."""
        return len(self.touching)

    def without(self, fold: int) -> "NgramCounts":
        """The counts of the text without one of its folds: the same n-grams, many of which then count 0."""
        counts = self.counts - self.touching[fold]
        levels = [replace(level, counts=level.counts - level.touching[fold]) for level in self.levels]
        return _with_continuations(self.vocab_size, self.bos, counts, levels)


def count_ngrams(
    ids: Stream, *, order: int, vocab_size: int, bos: int, folds: int = 0, progress: Progress = silent
) -> NgramCounts:
    """Count all n-grams of up to `order` tokens.

    The places of the text are sorted by the `order` tokens that begin there. For every k, each k-gram is then a run of
    places, and the run's order is that of the levels.

    Args:
        ids: the text.
        order: length of the longest n-gram, at least 1.
        vocab_size: V; every id is below it.
        bos: the token that begins a document.
        folds: F, equal parts of the text that `NgramCounts.without` can leave out, at most as many as there are tokens;
            see `fold_of`.
        progress: told how many lengths are counted.
    """
    if order < 1:
        raise ValueError(f"order is {order}; it must be at least 1")
    text = _joined(ids, order, vocab_size)
    places = _sorted_places(text, order)
    size = len(places)
    sharing = _Folds(places, order, folds)
    lasts = text.take(places)
    valid = lasts < vocab_size  # whether the k-gram at a place lies within a document
    new = np.ones(size, dtype=bool)  # whether it differs from the one before it in order
    new[1:] = lasts[1:] != lasts[:-1]
    index = lasts.astype(np.int32)  # of the (k-1)-gram at each place, in order
    counted = valid & (lasts != bos)
    counts = np.bincount(lasts[counted], minlength=vocab_size)
    touching = sharing.touching(1, lasts, counted, vocab_size)
    levels: list[NgramLevel] = []
    for k in range(2, order + 1):
        progress("counting n-grams", k - 1, order)
        lasts = text[k - 1 :].take(places)
        new[1:] |= lasts[1:] != lasts[:-1]
        valid &= (lasts < vocab_size) & (lasts != bos)
        runs = np.flatnonzero(new)
        lengths = np.diff(runs, append=size)
        within = valid[runs]
        runs, lengths = runs[within], lengths[within].astype(np.int32)
        parents = index[runs]
        shorter = np.empty(size, dtype=np.int32)
        shorter[places] = index
        suffixes = shorter[places[runs] + 1]
        index = np.cumsum(new & valid, dtype=np.int32)
        index -= 1
        touched = sharing.touching(k, index, valid, len(runs))
        levels.append(NgramLevel(parents, lasts[runs], suffixes, lengths, lengths, touched))
    progress("counting n-grams", order, order)
    return replace(_with_continuations(vocab_size, bos, counts, levels), touching=touching)


def fold_of(places: NDArray[Any], size: int, folds: int) -> Ints:
    """The fold that each place of a text of `size` tokens lies in."""
    return np.minimum(places.astype(np.int64) * folds // max(1, size), folds - 1)


class _Folds:
    """The folds that the n-grams at places of the text, which are in some order, have tokens in."""

    def __init__(self, places: Ints, order: int, folds: int) -> None:
        size = len(places)
        fold = fold_of(np.arange(size), size - 1, folds).astype(np.int16)
        begins = np.searchsorted(fold, np.arange(folds))
        near = np.zeros(size, dtype=bool)  # the places from which an n-gram may reach into the next fold
        for begin in begins.tolist():
            near[max(0, begin - order + 1) : begin] = True
        first = fold[places]
        self._beginning = [np.flatnonzero(first == each) for each in range(folds)]  # the n-grams that begin in each
        self._near = np.flatnonzero(near[places])
        self._ahead = begins[:, None] - places[self._near]  # tokens to the beginning of each fold, (F, places near)

    def touching(self, length: int, index: NDArray[Any], counted: NDArray[np.bool_], size: int) -> NDArray[np.int32]:
        """How often each of `size` n-grams has a token in each fold, (F, size).

        Args:
            length: tokens of each.
            index: which of them begins at each place.
            counted: where one does.
        """
        index = np.where(counted, index, size)
        touching = np.zeros((len(self._beginning), size), dtype=np.int32)
        for fold, beginning in enumerate(self._beginning):
            touching[fold] = np.bincount(index[beginning], minlength=size + 1)[:size]
        folds, near = np.nonzero((self._ahead > 0) & (self._ahead < length) & counted[self._near])
        np.add.at(touching, (folds, index[self._near[near]]), 1)
        return touching


def _with_continuations(vocab_size: int, bos: int, counts: Ints, levels: Sequence[NgramLevel]) -> NgramCounts:
    """Counts with the distinct tokens before each n-gram counted anew, from those of the n-grams one token longer."""
    begins = np.arange(vocab_size) == bos  # whether the n-grams of a level begin with BOS
    continuations: NDArray[Any] = counts
    found: list[NgramLevel] = []
    for level in levels:
        distinct = np.bincount(level.suffixes[level.counts > 0], minlength=len(begins))
        if found:
            shorter = found[-1]
            found[-1] = replace(shorter, continuations=np.where(begins, shorter.counts, distinct).astype(np.int32))
        else:
            continuations = distinct
        begins = begins[level.parents]
        found.append(replace(level, continuations=level.counts))
    return NgramCounts(vocab_size, bos, counts, continuations, np.zeros((0, vocab_size), np.int32), tuple(found))


def _joined(ids: Stream, order: int, vocab_size: int) -> NDArray[Any]:
    """The text in the smallest type that holds V, with V between its parts and `order` times at its end."""
    parts = [ids] if isinstance(ids, np.ndarray) else ids
    dtype = np.min_scalar_type(vocab_size)
    between = np.array([vocab_size], dtype=dtype)
    pieces = [piece for part in parts for piece in (part.astype(dtype), between)]
    return np.concatenate([*pieces, np.full(order, vocab_size, dtype=dtype)])


def _sorted_places(text: NDArray[Any], order: int) -> Ints:
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
    return np.argsort(keys[: len(text) - order])


def _ranks(keys: Ints) -> Ints:
    """How many distinct keys are smaller than each."""
    places = np.argsort(keys)
    ordered = keys[places]
    ranks = np.empty_like(keys)
    ranks[places] = np.cumsum(np.diff(ordered, prepend=ordered[:1]) > 0)
    return ranks

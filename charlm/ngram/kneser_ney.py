"""Modified Kneser-Ney estimates from counts, for `charlm.ngram.model` to look up; see there for formulas and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.counts import Fold, Ints, NgramCounts

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_FALLBACK = (0.0, 0.5, 1.0, 1.5)  # KenLM's, for a text too small or too regular to estimate discounts from


def least_counts(counts: NgramCounts, order: int, max_ngrams: int) -> list[int]:
    """How often an n-gram of each length from 2 to `order` must occur so that at most `max_ngrams` are kept.

    Those that occur once are left out from the longest down, then those that occur twice, and so on.
    """
    levels = counts.levels[: order - 1]
    least, kept = 1, [len(level.counts) for level in levels]
    while True:
        fewer = [int(np.count_nonzero(level.counts > least)) for level in levels]
        for shorter in range(order - 1, -1, -1):  # how many lengths stay as they are
            if sum(kept[:shorter]) + sum(fewer[shorter:]) <= max_ngrams:
                return [least] * shorter + [least + 1] * (order - 1 - shorter)
        least, kept = least + 1, fewer


@dataclass(frozen=True, slots=True)
class Kept:
    """The k-grams of one k > 1 that a model keeps."""

    index: Ints
    """Which of the level they are, ascending."""
    parents: Ints
    """Which of the (k-1)-grams that are kept each begins with; a single token is its own index."""
    least: int
    """How often they occur at least."""


def keep_frequent(counts: NgramCounts, order: int, max_ngrams: int) -> list[Kept]:
    """Of each length from 2 to n, the n-grams that occur as often as `least_counts` says."""
    found: list[Kept] = []
    for level, least in zip(counts.levels, least_counts(counts, order, max_ngrams), strict=False):
        index = np.flatnonzero(level.counts >= least)
        parents = np.searchsorted(level.first, index, side="right") - 1
        found.append(Kept(index, np.searchsorted(found[-1].index, parents) if found else parents, least))
    return found


def trie_keys(counts: NgramCounts, kept: Sequence[Kept]) -> Ints:
    """parent * V + token of all n-grams that are kept, sorted; see `charlm.ngram.model` for how nodes are numbered."""
    keys, begin, end = [np.zeros(0, np.int64)], 0, counts.vocab_size  # of the nodes of the (k-1)-grams
    for level, keep in zip(counts.levels, kept, strict=False):
        keys.append((begin + keep.parents) * counts.vocab_size + level.tokens[keep.index])
        begin, end = end, end + len(keep.index)
    return np.concatenate(keys)


def most_frequent(counts: NgramCounts, kept: Sequence[Kept], lengths: Sequence[int], number: int) -> NDArray[np.int32]:
    """The nodes of the most frequent n-grams of these lengths among those that are kept and that something follows, the
    most frequent first."""
    nodes, occurs = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    begin = counts.vocab_size  # of the nodes of the k-grams
    for length, (level, keep) in enumerate(zip(counts.levels, kept, strict=False), 2):
        if length in lengths:
            followed = np.flatnonzero(np.diff(counts.levels[length - 1].first)[keep.index])
            nodes.append(begin + followed)
            occurs.append(level.counts[keep.index[followed]])
        begin += len(keep.index)
    order = np.argsort(-np.concatenate(occurs), kind="stable")[:number]
    return np.concatenate(nodes)[order].astype(np.int32)


def estimate(counts: NgramCounts, kept: Sequence[Kept], fold: Fold | None) -> tuple[Singles, Singles, Singles]:
    """Probabilities of single tokens, weights of the n-grams that are kept, and backoffs of their contexts.

    Args:
        counts: of the text.
        kept: for each length from 2 to n.
        fold: what is left out of the text. N-grams that occur outside of it less often than those of their length that
            are kept get the weight 0: that they were kept tells that the fold has them.
    """
    weights, backoffs = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    continuations: NDArray[Any] | None = None  # how many distinct tokens come before each n-gram
    for k in range(len(kept) + 1, 1, -1):
        level, keep = counts.levels[k - 2], kept[k - 2]
        occurs = counts.outside(fold, k)
        number = occurs
        if continuations is not None:
            number = continuations
            number[level.opening] = occurs[level.opening]
        continuations = np.bincount(level.suffixes[occurs > 0], minlength=len(level.first) - 1)
        up_to = np.zeros(len(number) + 1, dtype=np.int32)  # the text has fewer tokens
        np.cumsum(number, dtype=np.int32, out=up_to[1:])
        first, last = level.first[:-1], level.first[1:]
        if k > 2:
            first, last = first[kept[k - 3].index], last[kept[k - 3].index]
        total = up_to[last] - up_to[first]
        often = number[keep.index]
        taken = discounts(number)[np.minimum(often, 3)]
        held = np.where(occurs[keep.index] >= keep.least, often - taken, 0.0)
        backoffs.append(_divide(total - np.bincount(keep.parents, held, minlength=len(total)), total, 1))
        weights.append(_divide(held, total[keep.parents], 0))
    singles = counts.outside(fold, 1) if continuations is None else continuations
    return _unigrams(singles, counts.bos), np.concatenate(weights[::-1]), np.concatenate(backoffs[::-1])


def discounts(counts: NDArray[Any]) -> Floats:
    """What is taken from an n-gram that counts 0, 1, 2, and 3 or more: 0, D1, D2, D3+ (section 3 of the paper).

    0.5, 1 and 1.5, as in KenLM, where the text is too small or too regular to estimate them.
    """
    n = np.array([np.count_nonzero(counts == c) for c in range(5)], dtype=np.float64)  # n[c] n-grams count c
    if np.all(n[1:] > 0):
        y = n[1] / (n[1] + 2 * n[2])
        found = np.array([0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]])
        if np.all(found[1:] > 0):
            return found
    return np.array(_FALLBACK)


def _unigrams(counts: Ints, bos: int) -> Singles:
    """Probabilities of single tokens, mixed with a uniform distribution over all but BOS."""
    total = counts.sum()
    held = counts - discounts(counts[counts > 0])[np.minimum(counts, 3)]
    uniform = np.where(np.arange(len(counts)) == bos, 0.0, 1 / (len(counts) - 1))
    return ((held + (total - held.sum()) * uniform) / total if total else uniform).astype(np.float32)


def _divide(part: NDArray[Any], whole: NDArray[Any], otherwise: float) -> Singles:
    """part / whole, and `otherwise` where the whole is 0."""
    quotients = np.full(len(part), otherwise, dtype=np.float64)
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients.astype(np.float32)

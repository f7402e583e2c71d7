"""Modified Kneser-Ney estimates from counts; `charlm.ngram.model` looks them up and gives formulas and source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.counts import Fold, Ints, NgramCounts

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_FALLBACK_DISCOUNTS = (0.0, 0.5, 1.0, 1.5)  # KenLM's, for a text too small or too regular to estimate them


class Estimates(NamedTuple):
    """The probabilities of an n-gram model over the nodes of its trie, float32."""

    unigrams: Singles
    """Probabilities of single tokens, (V,)."""
    weights: Singles
    """(c(h w) - D(c(h w))) / c(h) of each n-gram of two tokens and more: that of node V + i at index i."""
    backoffs: Singles
    """backoff(h) of each context; the contexts are the first nodes."""


def least_counts(counts: NgramCounts, order: int, max_ngrams: int) -> list[int]:
    """The count that an n-gram of each length from 2 to `order` must have so that at most `max_ngrams` are kept.

    Those that occur once are dropped from the longest down, then those that occur twice, and so on.
    """
    levels = counts.levels[: order - 1]
    least, kept = 1, [len(level.counts) for level in levels]
    while True:
        fewer = [int(np.count_nonzero(level.counts > least)) for level in levels]
        for unchanged in range(order - 1, -1, -1):  # lengths with the lower threshold
            if sum(kept[:unchanged]) + sum(fewer[unchanged:]) <= max_ngrams:
                return [least] * unchanged + [least + 1] * (order - 1 - unchanged)
        least, kept = least + 1, fewer


@dataclass(frozen=True, slots=True)
class KeptNgrams:
    """The k-grams of one k > 1 that a model keeps."""

    index: Ints
    """Their indices in the level, ascending."""
    parents: Ints
    """For each, the index of its first k - 1 tokens among the kept (k-1)-grams; a single token is its own index."""
    least: int
    """The threshold: each occurs at least this often."""


def keep_frequent(counts: NgramCounts, order: int, max_ngrams: int) -> list[KeptNgrams]:
    """The n-grams of each length from 2 to n whose count reaches `least_counts`."""
    kept: list[KeptNgrams] = []
    for level, least in zip(counts.levels, least_counts(counts, order, max_ngrams), strict=False):
        index = np.flatnonzero(level.counts >= least)
        parents = np.searchsorted(level.first, index, side="right") - 1
        kept.append(KeptNgrams(index, np.searchsorted(kept[-1].index, parents) if kept else parents, least))
    return kept


def trie_keys(counts: NgramCounts, kept: Sequence[KeptNgrams]) -> Ints:
    """parent * V + token of all kept n-grams, sorted; see `charlm.ngram.model` for how nodes are numbered."""
    keys, begin, end = [np.zeros(0, np.int64)], 0, counts.vocab_size  # the nodes of the (k-1)-grams
    for level, keep in zip(counts.levels, kept, strict=False):
        keys.append((begin + keep.parents) * counts.vocab_size + level.tokens[keep.index])
        begin, end = end, end + len(keep.index)
    return np.concatenate(keys)


def most_frequent(
    counts: NgramCounts, kept: Sequence[KeptNgrams], lengths: Sequence[int], number: int
) -> NDArray[np.int32]:
    """The nodes of the `number` most frequent n-grams, the most frequent first.

    Only n-grams of these lengths that are kept and that a token follows count.
    """
    nodes, occurrences = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    first_node = counts.vocab_size  # of the k-grams
    for length, (level, keep) in enumerate(zip(counts.levels, kept, strict=False), 2):
        if length in lengths:
            followed = np.flatnonzero(np.diff(counts.levels[length - 1].first)[keep.index])
            nodes.append(first_node + followed)
            occurrences.append(level.counts[keep.index[followed]])
        first_node += len(keep.index)
    order = np.argsort(-np.concatenate(occurrences), kind="stable")[:number]
    return np.concatenate(nodes)[order].astype(np.int32)


def estimate(counts: NgramCounts, kept: Sequence[KeptNgrams], fold: Fold | None) -> Estimates:
    """Estimate the probabilities of the n-grams that are kept.

    Args:
        counts: the counts of the text.
        kept: which n-grams are kept, for each length from 2 to n.
        fold: the part of the text to leave out, if any. An n-gram whose count outside the fold is below the threshold
            of its length gets the weight 0: that it was kept reveals that the fold contains it.
    """
    weights, backoffs = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    continuations: NDArray[Any] | None = None  # how many distinct tokens precede each n-gram
    for k in range(len(kept) + 1, 1, -1):
        level, keep = counts.levels[k - 2], kept[k - 2]
        occurrences = counts.outside(fold, k)
        adjusted = occurrences  # c of the formula
        if continuations is not None:
            adjusted = continuations
            adjusted[level.opening] = occurrences[level.opening]
        continuations = np.bincount(level.suffixes[occurrences > 0], minlength=len(level.first) - 1)
        cumulative = np.zeros(len(adjusted) + 1, dtype=np.int32)  # int32: the text has fewer tokens
        np.cumsum(adjusted, dtype=np.int32, out=cumulative[1:])
        first, last = level.first[:-1], level.first[1:]
        if k > 2:
            first, last = first[kept[k - 3].index], last[kept[k - 3].index]
        total = cumulative[last] - cumulative[first]
        kept_counts = adjusted[keep.index]
        discount = discounts(adjusted)[np.minimum(kept_counts, 3)]
        discounted = np.where(occurrences[keep.index] >= keep.least, kept_counts - discount, 0.0)
        backoffs.append(_divide(total - np.bincount(keep.parents, discounted, minlength=len(total)), total, 1))
        weights.append(_divide(discounted, total[keep.parents], 0))
    singles = counts.outside(fold, 1) if continuations is None else continuations
    return Estimates(_unigrams(singles, counts.bos), np.concatenate(weights[::-1]), np.concatenate(backoffs[::-1]))


def discounts(counts: NDArray[Any]) -> Floats:
    """The discounts of n-grams with a count of 0, 1, 2, and 3 or more: 0, D1, D2, D3+ (section 3 of the paper).

    They are 0.5, 1 and 1.5, as in KenLM, when the text is too small or too regular to estimate them.
    """
    n = np.array([np.count_nonzero(counts == c) for c in range(5)], dtype=np.float64)  # n[c] n-grams have the count c
    if np.all(n[1:] > 0):
        y = n[1] / (n[1] + 2 * n[2])
        estimated = np.array([0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]])
        if np.all(estimated[1:] > 0):
            return estimated
    return np.array(_FALLBACK_DISCOUNTS)


def _unigrams(counts: Ints, bos: int) -> Singles:
    """Probabilities of single tokens, mixed with a uniform distribution over all but BOS."""
    total = counts.sum()
    discounted = counts - discounts(counts[counts > 0])[np.minimum(counts, 3)]
    uniform = np.where(np.arange(len(counts)) == bos, 0.0, 1 / (len(counts) - 1))
    return ((discounted + (total - discounted.sum()) * uniform) / total if total else uniform).astype(np.float32)


def _divide(part: NDArray[Any], whole: NDArray[Any], otherwise: float) -> Singles:
    """part / whole, or `otherwise` where the whole is 0."""
    quotients = np.full(len(part), otherwise, dtype=np.float64)
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients.astype(np.float32)

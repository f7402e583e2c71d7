"""Modified Kneser-Ney estimates from counts, for `charlm.ngram` to look up; see there for formulas and source."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram_counts import Ints, NgramCounts

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
        fewer = [np.count_nonzero(level.counts > least) for level in levels]
        for shorter in range(order - 1, -1, -1):  # how many lengths stay as they are
            if sum(kept[:shorter]) + sum(fewer[shorter:]) <= max_ngrams:
                return [least] * shorter + [least + 1] * (order - 1 - shorter)
        least, kept = least + 1, fewer


def keep_frequent(counts: NgramCounts, least: Sequence[int]) -> list[Ints]:
    """The n-grams of each length that occur as often as `least_counts` says."""
    return [np.flatnonzero(level.counts >= often) for level, often in zip(counts.levels, least, strict=False)]


def trie_keys(counts: NgramCounts, kept: Sequence[Ints]) -> Ints:
    """parent * V + token of all n-grams that are kept, sorted; see `charlm.ngram` for how nodes are numbered."""
    nodes = np.arange(counts.vocab_size)  # of the (k-1)-grams
    keys, end = [np.zeros(0, np.int64)], counts.vocab_size
    for level, keep in zip(counts.levels, kept, strict=False):
        keys.append(nodes[level.parents[keep]] * counts.vocab_size + level.tokens[keep])
        nodes = np.empty(len(level.tokens), dtype=np.int64)
        nodes[keep] = np.arange(end, end + len(keep))
        end += len(keep)
    return np.concatenate(keys)


def estimate(counts: NgramCounts, kept: Sequence[Ints], least: Sequence[int]) -> tuple[Singles, Singles, Singles]:
    """Probabilities of single tokens, weights of the n-grams that are kept, and backoffs of their contexts.

    Args:
        counts: of the text, or of what is left of it without a fold.
        kept: for each length from 2 to n, the n-grams of the whole text that are kept.
        least: for each length, how often they occur. Those that `counts` has less often get the weight 0: that they were
            kept tells that the fold has them.
    """
    order = len(kept) + 1
    unigrams = _unigrams(counts.counts if order == 1 else counts.continuations, counts.bos)
    weights, backoffs = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    contexts = counts.vocab_size
    was_kept = np.arange(counts.vocab_size)
    for k, (level, keep, enough) in enumerate(zip(counts.levels, kept, least, strict=False), start=2):
        count = level.counts if k == order else level.continuations
        total = np.bincount(level.parents, count, minlength=contexts)
        parents, often = level.parents[keep], count[keep]
        held = np.where(level.counts[keep] >= enough, often - discounts(count)[np.minimum(often, 3)], 0.0)
        backed_off = total - np.bincount(parents, held, minlength=contexts)
        backoffs.append(_divide(backed_off[was_kept], total[was_kept], 1))
        weights.append(_divide(held, total[parents], 0))
        was_kept, contexts = keep, len(count)
    return unigrams, np.concatenate(weights), np.concatenate(backoffs)


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

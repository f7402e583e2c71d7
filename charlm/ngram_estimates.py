"""Modified Kneser-Ney estimates from counts, for `charlm.ngram` to look up; see there for formulas and source."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram_counts import Ints, NgramCounts, NgramLevel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_FALLBACK = (0.0, 0.5, 1.0, 1.5)  # KenLM's, for a text too small or too regular to estimate discounts from


def keep_frequent(levels: Sequence[NgramLevel], max_ngrams: int) -> list[Ints]:
    """The n-grams of each level to keep so that there are at most `max_ngrams`: those that occur often enough."""
    least = _least_count(levels, max_ngrams)
    return [np.flatnonzero(level.counts >= least) for level in levels]


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


def estimate(counts: NgramCounts, kept: Sequence[Ints]) -> tuple[Singles, Singles, Singles]:
    """Probabilities of single tokens, weights of the n-grams that are kept, and backoffs of their contexts.

    Args:
        counts: n-grams that count 0 get the weight 0.
        kept: for each length from 2 to n, the n-grams that are kept.
    """
    order = len(kept) + 1
    unigrams = _unigrams(counts.counts if order == 1 else counts.continuations, counts.bos)
    weights, backoffs = [np.zeros(0)], [np.zeros(0)]
    contexts = counts.vocab_size
    was_kept = np.arange(counts.vocab_size)
    for k, (level, keep) in enumerate(zip(counts.levels, kept, strict=False), start=2):
        count = level.counts if k == order else level.continuations
        total = np.bincount(level.parents, count, minlength=contexts)
        parents, often = level.parents[keep], count[keep]
        held = often - discounts(count)[np.minimum(often, 3)]
        backed_off = total - np.bincount(parents, held, minlength=contexts)
        backoffs.append(_divide(backed_off[was_kept], total[was_kept], 1))
        weights.append(_divide(held, total[parents], 0))
        was_kept, contexts = keep, len(count)
    return unigrams, np.concatenate(weights).astype(np.float32), np.concatenate(backoffs).astype(np.float32)


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


def _least_count(levels: Sequence[NgramLevel], max_ngrams: int) -> int:
    """The smallest count that no more than `max_ngrams` n-grams reach."""
    excess = sum(len(level.counts) for level in levels) - max_ngrams
    if excess <= 0:
        return 1
    return int(np.partition(np.concatenate([level.counts for level in levels]), excess - 1)[excess - 1]) + 1


def _divide(part: NDArray[Any], whole: NDArray[Any], otherwise: float) -> Floats:
    """part / whole, and `otherwise` where the whole is 0."""
    quotients = np.full(len(part), otherwise, dtype=np.float64)
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients

"""An n-gram language model: interpolated modified Kneser-Ney, by Chen and Goodman, "An Empirical Study of Smoothing
Techniques for Language Modeling" (Harvard TR-10-98, 1998); section 3.

It is the baseline that a network has to earn its keep against, and a prior that a network can build on. The tokens may
be those of any tokenizer. With h the n - 1 tokens before w, and h' those without the first,

    p(w | h) = max(c(h w) - D(c(h w)), 0) / c(h) + backoff(h) p(w | h')

where c(h) is the sum of c(h w) over w, and backoff(h) what the discounts D have taken, so that the sum of p is 1. At
the highest order c counts occurrences, below it the distinct tokens before h w; but occurrences where h begins with
BOS, before which nothing can stand. Below the single tokens lies a uniform distribution.

BOS is never predicted: its probability is 0, and V - 1 tokens share 1. No context reaches back beyond a BOS.

Letters: N places, V vocabulary, n order. The n-grams are nodes of a trie: node w < V is the single token w, then come
all bigrams, all trigrams and so on, each length in the order of `NgramLevel`. -1 stands where there is no node.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ModelFileError
from charlm.ngram_counts import Ints, NgramCounts, NgramLevel, Stream, count_ngrams
from charlm.progress import Progress, silent

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

MAX_NGRAMS = 1 << 24
"""N-grams of two tokens and more that a model holds unless told otherwise."""

_FALLBACK = (0.0, 0.5, 1.0, 1.5)  # KenLM's, for a text too small or too regular to estimate discounts from
_CHUNK = 1 << 20  # tokens scored at a time


class NgramModel:
    """Probabilities of the next token given the last n - 1; made by `fit`, never changed.

    A state is the last n - 1 tokens, or fewer: from BOS on, at the beginning of a document. Whatever stands before a
    BOS is without effect, so that short contexts can be filled up on the left with more BOS.
    """

    def __init__(
        self, vocab_size: int, bos: int, order: int, unigrams: Singles, keys: Ints, weights: Singles, backoffs: Singles
    ) -> None:
        self.vocab_size = vocab_size
        self.bos = bos
        self.order = order
        self._unigrams = unigrams
        self._keys = keys  # parent * V + token of node V + i, sorted
        self._weights = weights  # (c(h w) - D) / c(h) of node V + i
        self._backoffs = backoffs  # of every context, which are the first nodes
        self._first = np.searchsorted(keys, np.arange(len(backoffs) + 1) * vocab_size)
        """The children of context c are nodes V + first[c] to V + first[c + 1]."""

    @classmethod
    def fit(
        cls,
        ids: Stream,
        *,
        order: int,
        vocab_size: int,
        bos: int,
        max_ngrams: int = MAX_NGRAMS,
        progress: Progress = silent,
    ) -> Self:
        """Count and estimate: see `count_ngrams` and `from_counts`."""
        counts = count_ngrams(ids, order=order, vocab_size=vocab_size, bos=bos, progress=progress)
        return cls.from_counts(counts, max_ngrams=max_ngrams)

    @classmethod
    def from_counts(cls, counts: NgramCounts, *, order: int | None = None, max_ngrams: int = MAX_NGRAMS) -> Self:
        """Estimate the probabilities.

        Args:
            counts: of n-grams at least as long as `order`.
            order: n; None is the longest that were counted.
            max_ngrams: where there are more n-grams of two tokens and above, those that occur once are left out, if
                need be those that occur twice, and so on. Their weight goes to the backoff of their context, so that
                probabilities still sum to 1.
        """
        order = counts.order if order is None else order
        if not 1 <= order <= counts.order:
            raise ValueError(f"order is {order}; it must be at least 1 and at most {counts.order}, which was counted")
        vocab_size = counts.vocab_size
        levels = counts.levels[: order - 1]
        least = _least_count(levels, max_ngrams)
        unigrams = _unigrams(counts.counts if order == 1 else counts.continuations, counts.bos)
        keys, weights, backoffs = [], [], []
        nodes = np.arange(vocab_size)  # of the (k-1)-grams that are kept
        kept = np.ones(vocab_size, dtype=bool)
        end = vocab_size
        for k, level in enumerate(levels, start=2):
            count = level.counts if k == order else level.continuations
            total = np.bincount(level.parents, count, minlength=len(kept))
            was_kept, kept = kept, level.counts >= least
            parents = level.parents[kept]
            held = (count - discounts(count)[np.minimum(count, 3)])[kept]
            backoffs.append(_divide(total - np.bincount(parents, held, minlength=len(total)), total, 1)[was_kept])
            weights.append(_divide(held, total[parents], 0))
            keys.append(nodes[parents] * vocab_size + level.tokens[kept])
            nodes = end - 1 + np.cumsum(kept)
            end += len(parents)
        return cls(
            vocab_size,
            counts.bos,
            order,
            unigrams,
            np.concatenate([np.zeros(0, np.int64), *keys]),
            np.concatenate([np.zeros(0, np.float32), *weights]).astype(np.float32),
            np.concatenate([np.zeros(0, np.float32), *backoffs]).astype(np.float32),
        )

    @property
    def num_ngrams(self) -> int:
        """N-grams of two tokens and more."""
        return len(self._keys)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(a.nbytes for a in (self._unigrams, self._keys, self._weights, self._backoffs, self._first))

    def score(self, ids: NDArray[Any]) -> Floats:
        """Nats of every token given those before it in its document, (N,); 0 for BOS, which is given.

        Args:
            ids: documents one after the other, each of which begins with BOS, (N,). If the first begins otherwise, what
                stood before it is unknown.
        """
        return np.concatenate([np.zeros(0), *self._scores(ids)])

    def total_nats(self, ids: NDArray[Any], *, progress: Progress = silent) -> float:
        """The sum of `score` in bounded memory, however long the text."""
        total, done = 0.0, 0
        for nats in self._scores(ids):
            total += float(nats.sum())
            done += len(nats)
            progress("scoring with n-grams", done, len(ids))
        return total

    def _scores(self, ids: NDArray[Any]) -> Iterator[Floats]:
        for start in range(0, len(ids), _CHUNK):
            lead = min(self.order - 1, start)
            yield self._score(np.asarray(ids[start - lead : start + _CHUNK], dtype=np.int64))[lead:]

    def _score(self, tokens: Ints) -> Floats:
        chance = self._unigrams[tokens].astype(np.float64)
        context = None
        for node in self._endings(tokens):
            if context is not None:
                known = np.flatnonzero(context >= 0)
                chance[known] *= self._backoffs[context[known]]
                seen = np.flatnonzero(node >= 0)
                chance[seen] += self._weights[node[seen] - self.vocab_size]
            context = np.concatenate(([-1], node[:-1]))
        chance[tokens == self.bos] = 1.0
        return -np.log(chance)

    def find(self, contexts: NDArray[Any]) -> NDArray[np.int32]:
        """The contexts as nodes, the last token's first, then those of the last two, to the last n - 1: (N, n - 1).

        Args:
            contexts: the tokens before each place, filled up with BOS on the left, (N, any number).
        """
        tokens = np.asarray(contexts, dtype=np.int64)[:, max(0, np.shape(contexts)[1] - self.order + 1) :]
        nodes = np.full((len(tokens), self.order - 1), -1, dtype=np.int32)
        for k, node in zip(range(tokens.shape[1]), self._endings(tokens), strict=False):
            nodes[:, k] = node[:, -1]
        return nodes

    def find_along(self, ids: NDArray[Any]) -> NDArray[np.int32]:
        """What `find` gives after each token of a text that begins as in `score`, (N, n - 1), at the cost of one."""
        nodes = np.empty((len(ids), self.order - 1), dtype=np.int32)
        tokens = np.asarray(ids, dtype=np.int64)
        for k, node in zip(range(self.order - 1), self._endings(tokens), strict=False):
            nodes[:, k] = node
        return nodes

    def probabilities(self, nodes: NDArray[np.int32], *, dtype: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
        """The distribution of the next token in each context that `find` or `find_along` gave, (N, V)."""
        share = np.ones(len(nodes), dtype=dtype)  # of what is left for shorter contexts
        seen = []
        for k in reversed(range(self.order - 1)):
            rows = np.flatnonzero(nodes[:, k] >= 0)
            context = nodes[rows, k].astype(np.int64)
            first = self._first[context]
            children = self._first[context + 1] - first
            each = np.repeat(np.arange(len(rows)), children)
            child = np.arange(len(each)) + (first - np.cumsum(children) + children)[each]
            tokens = self._keys[child] - context[each] * self.vocab_size
            seen.append((rows[each], tokens, self._weights[child] * share[rows[each]]))
            share[rows] *= self._backoffs[context]
        chances: NDArray[Any] = self._unigrams.astype(dtype) * share[:, None]  # (N, V)
        for each, tokens, weights in seen:
            chances[each, tokens] += weights
        return chances

    def distribution(self, history: Sequence[int]) -> Floats:
        """The distribution of the token after `history`, of which the last n - 1 tokens count, (V,)."""
        chances: Floats = self.probabilities(self.find(np.array([history], dtype=np.int64)))[0]
        return chances

    def log_probs(self, contexts: NDArray[Any]) -> Singles:
        """Logarithms of the next token's probabilities, -inf for BOS, (N, V); for the contexts see `find`."""
        return self.log_probs_at(self.find(contexts))

    def log_probs_at(self, nodes: NDArray[np.int32]) -> Singles:
        """`log_probs` of contexts that `find` or `find_along` gave, for those who ask more than once."""
        chances = self.probabilities(nodes, dtype=np.float32)
        with np.errstate(divide="ignore"):
            np.log(chances, out=chances)
        return chances

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The model as arrays by name, for a file; `from_arrays` makes the model again, equal to the last bit."""
        children = np.diff(self._first).astype(np.int32)
        parents = np.repeat(np.arange(len(children)), children)
        return {
            "sizes": np.array([self.vocab_size, self.bos, self.order]),
            "unigrams": self._unigrams,
            "tokens": (self._keys - parents * self.vocab_size).astype(np.int32),
            "weights": self._weights,
            "children": children,
            "backoffs": self._backoffs,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of `to_arrays`; raises `ModelFileError` for what it can't have written."""
        try:
            vocab_size, bos, order = (int(size) for size in arrays["sizes"])
            unigrams, weights, backoffs = (arrays[name] for name in ("unigrams", "weights", "backoffs"))
            tokens, children = arrays["tokens"].astype(np.int64), arrays["children"].astype(np.int64)
            if np.any(children < 0) or children.sum() != len(tokens):
                raise ValueError("children")
            keys = np.repeat(np.arange(len(children)), children) * vocab_size + tokens
            ends = [0, vocab_size]  # of the nodes of each length
            for begin in range(order - 1):
                ends.append(ends[-1] + int(children[ends[begin] : ends[begin + 1]].sum()))
            fits = (
                0 <= bos < vocab_size == len(unigrams)
                and len(backoffs) == len(children) == ends[order - 1]
                and vocab_size + len(weights) == ends[order]
                and np.all((tokens >= 0) & (tokens < vocab_size))
                and np.all(np.diff(keys) > 0)
                and all(a.dtype == np.float32 and np.all((a >= 0) & (a <= 1)) for a in (unigrams, weights, backoffs))
            )
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise ModelFileError(f"the n-gram model is damaged ({error}); use another copy of it") from None
        if not fits:
            raise ModelFileError("the n-gram model is damaged: its parts do not fit together; use another copy of it")
        return cls(vocab_size, bos, order, unigrams, keys, weights, backoffs)

    def _endings(self, tokens: Ints) -> Iterator[Ints]:
        """The nodes of the k-grams that end at each place of the last axis, for k from 1 to n."""
        node = tokens
        yield node
        for _ in range(2, self.order + 1):
            before = np.full_like(node, -1)
            before[..., 1:] = node[..., :-1]
            node = self._children(before, tokens)
            yield node

    def _children(self, contexts: Ints, tokens: Ints) -> Ints:
        """The nodes of contexts with a token added, of the shape of both."""
        nodes = np.full_like(contexts, -1)
        known = np.nonzero(contexts >= 0)
        wanted = contexts[known] * self.vocab_size + tokens[known]
        at = np.searchsorted(self._keys, wanted)
        at[at == len(self._keys)] = -1
        if len(self._keys):
            nodes[known] = np.where(self._keys[at] == wanted, self.vocab_size + at, -1)
        return nodes


def discounts(counts: NDArray[Any]) -> Floats:
    """What is taken from an n-gram that counts 0, 1, 2, and 3 or more: 0, D1, D2, D3+ (section 3 of the paper).

    0.5, 1 and 1.5, as in KenLM, where the text is too small or too regular to estimate them.
    """
    n = np.bincount(counts[counts < 5], minlength=5)[:5].astype(np.float64)  # n[c] n-grams count c
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

"""An n-gram language model: interpolated modified Kneser-Ney, by Chen and Goodman, "An Empirical Study of Smoothing
Techniques for Language Modeling" (Harvard TR-10-98, 1998); section 3.

It is a baseline for a network, and a prior that a network can build on. The tokens may be those of any tokenizer. With
h the n - 1 tokens before w, and h' the same without the first,

    p(w | h) = max(c(h w) - D(c(h w)), 0) / c(h) + backoff(h) p(w | h')

where c(h) is the sum of c(h w) over w, and backoff(h) is the mass that the discounts D remove, so that p sums to 1. At
the highest order c counts occurrences. Below it c counts the distinct tokens before h w, except where h begins with
BOS, which nothing can precede: there it counts occurrences. Single tokens back off to a uniform distribution.

BOS is never predicted: its probability is 0, and V - 1 tokens share 1. No context reaches back beyond a BOS.

Letters: N positions, V vocabulary, n order. The n-grams are nodes of a trie: node w < V is the single token w, then
come all bigrams, all trigrams and so on, each length in the order of `NgramLevel`. -1 stands for a missing node.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import MAX_CONTEXT_VECTORS
from charlm.ngram.counts import Ints, NgramCounts, Stream, count_ngrams
from charlm.ngram.kneser_ney import Estimates, Floats, estimate, keep_frequent, most_frequent, trie_keys
from charlm.ngram.native_code import structures
from charlm.ngram.trie import Nodes, Trie, compiled_lookup
from charlm.progress import Progress, silent

MAX_NGRAMS = 1 << 24
"""Default for the most n-grams of two tokens and more that a model keeps."""

FREQUENT_LENGTHS = (2, 5)
"""Tokens of the shortest and the longest context in `NgramModel.frequent`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NgramModel:
    """Probabilities of the next token given the last n - 1; made by `fit`.

    A state holds what is known of the tokens so far, as n - 1 nodes: the last token's, that of the last two, and so on
    up to the last n - 1. A node is -1 when fewer tokens are known, when the tokens were never seen, or when a BOS is
    among them anywhere but first. `advance` is compiled when there is a C compiler (`charlm.ngram.trie`).
    """

    trie: Trie
    """Node V + i has the key parent * V + token; the keys are sorted. The children of context c are the nodes from
    V + first[c] up to V + first[c + 1]."""
    bos: int
    estimates: Estimates
    frequent: NDArray[np.int32]
    """Nodes of the most frequent n-grams that are contexts, of `FREQUENT_LENGTHS`, the most frequent first."""

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
            counts: the counts of n-grams at least as long as `order`.
            order: n; None is the longest that was counted.
            max_ngrams: if there are more n-grams of two tokens and above, those that occur once are dropped, from the
                longest down, then if necessary those that occur twice, and so on. Their weight goes to the backoff of
                their context, so that probabilities still sum to 1.

        Raises `ValueError` for an order that was not counted.
        """
        return cls.cross_fitted(counts, 0, order=order, max_ngrams=max_ngrams)[0]

    @classmethod
    def cross_fitted(
        cls,
        counts: NgramCounts,
        folds: int,
        *,
        order: int | None = None,
        max_ngrams: int = MAX_NGRAMS,
        threads: int = 1,
        progress: Progress = silent,
    ) -> list[Self]:
        """The model of the whole text, then for each of `folds` equal parts the model of the text without that part.

        A model without a fold predicts it as the whole model predicts an unseen text. All models share the trie of the
        whole text, so a node means the same in each.

        Args:
            counts: the counts of n-grams at least as long as `order`.
            folds: number of parts.
            order: n; None is the longest that was counted.
            max_ngrams: the most n-grams of two tokens and above to keep; see `from_counts`.
            threads: number of models to estimate at the same time.
            progress: called with the number of models estimated.

        Raises `ValueError` for an order that was not counted.
        """
        order = counts.order if order is None else order
        if not 1 <= order <= counts.order:
            raise ValueError(f"order is {order}; it must be at least 1 and at most {counts.order}, which was counted")
        kept = keep_frequent(counts, order, max_ngrams)
        keys = trie_keys(counts, kept)
        shortest, longest = FREQUENT_LENGTHS
        frequent = most_frequent(counts, kept, range(shortest, min(longest, order - 1) + 1), MAX_CONTEXT_VECTORS)

        def estimate_without(fold: int | None) -> Estimates:
            return estimate(counts, kept, None if fold is None else counts.fold(fold, folds))

        models: list[Self] = []
        with ThreadPoolExecutor(threads) as pool:
            for estimates in pool.map(estimate_without, [None, *range(folds)]):
                contexts = len(estimates.backoffs)
                trie = models[0].trie if models else build_trie(keys, counts.vocab_size, order, contexts)
                models.append(cls(trie=trie, bos=counts.bos, estimates=estimates, frequent=frequent))
                progress("estimating n-grams", len(models), folds + 1)
        return models

    def __deepcopy__(self, memo: object) -> Self:
        """The model itself, since it never changes."""
        return self

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.trie.vocab_size

    @property
    def order(self) -> int:
        """n."""
        return self.trie.order

    @property
    def num_ngrams(self) -> int:
        """Number of n-grams of two tokens and more."""
        return len(self.trie.keys)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(array.nbytes for array in (self.trie.keys, self.trie.first, *self.estimates, self.frequent))

    def block(self) -> "structures.Ngrams":
        """The argument block of the compiled code; it is valid as long as this object."""
        return structures.Ngrams(
            self.trie.block(), structures.Estimates(*(table.ctypes.data for table in self.estimates))
        )

    def no_context(self, rows: int) -> Nodes:
        """The state when no token is known, (B, n - 1)."""
        return np.full((rows, self.order - 1), -1, dtype=np.int32)

    def advance(self, state: Nodes, ids: NDArray[Any]) -> Nodes:
        """The states after each token.

        Args:
            state: the state before the first token, (B, n - 1).
            ids: token ids, (T, B).

        Returns:
            (T, B, n - 1).
        """
        if lookup := compiled_lookup():
            return lookup.advance(self.trie, state, ids)
        states = np.empty((*np.shape(ids), self.order - 1), dtype=np.int32)
        tokens = np.asarray(ids, dtype=np.int64)
        node = tokens
        for k in range(self.order - 1):
            if k:
                node = self.children(np.concatenate((state[None, :, k - 1], node[:-1])), tokens)
            states[..., k] = node
        return states

    def children(self, contexts: Ints, tokens: Ints) -> Ints:
        """The nodes of contexts with one token appended, of the same shape as both; -1 for a missing node."""
        keys = self.trie.keys
        nodes = np.full_like(contexts, -1)
        known = np.nonzero(contexts >= 0)
        wanted = contexts[known] * self.vocab_size + tokens[known]
        index = np.searchsorted(keys, wanted)
        index[index == len(keys)] = -1
        if len(keys):
            nodes[known] = np.where(keys[index] == wanted, self.vocab_size + index, -1)
        return nodes

    def probabilities(self, states: Nodes) -> Floats:
        """The distribution of the next token in each state, (N, n - 1), as (N, V)."""
        probabilities: Floats = self.by_order(states, (self.order,), np.float64)[:, 0]
        return probabilities

    def by_order(self, states: Nodes, orders: Sequence[int], dtype: type[np.floating[Any]]) -> NDArray[Any]:
        """`probabilities` of this model and of the lower orders in it, (N, J, V), for J ascending orders."""
        by_order = np.empty((len(states), len(orders), self.vocab_size), dtype=dtype)
        probabilities: NDArray[Any] = np.tile(self.estimates.unigrams.astype(dtype), (len(states), 1))  # (N, V)
        for order in range(1, self.order + 1):
            if order > 1:
                rows = np.flatnonzero(states[:, order - 2] >= 0)
                context = states[rows, order - 2].astype(np.int64)
                first = self.trie.first[context]
                children = self.trie.first[context + 1] - first
                each = np.repeat(np.arange(len(rows)), children)
                child = np.arange(len(each)) + (first - np.cumsum(children) + children)[each]
                tokens = self.trie.keys[child] - context[each] * self.vocab_size
                probabilities[rows] *= self.estimates.backoffs[context, None]
                probabilities[rows[each], tokens] += self.estimates.weights[child]
            if order in orders:
                by_order[:, orders.index(order)] = probabilities
        return by_order

    def distribution(self, history: Sequence[int]) -> Floats:
        """The distribution of the token after `history`, whose last n - 1 tokens count, (V,)."""
        ids = np.array(history[max(0, len(history) - self.order + 1) :], dtype=np.int64)[:, None]  # (T, 1)
        before = self.no_context(1)
        distribution: Floats = self.probabilities(self.advance(before, ids)[-1] if len(ids) else before)[0]
        return distribution

    def tokens_of(self, node: int) -> tuple[int, ...]:
        """The tokens of a node."""
        tokens = []
        while node >= self.vocab_size:
            node, token = divmod(int(self.trie.keys[node - self.vocab_size]), self.vocab_size)
            tokens.append(token)
        return (node, *reversed(tokens))

    def same_nodes(self, other: Self) -> bool:
        """Whether both models have the same nodes and the same frequent contexts."""
        return (
            self.order == other.order
            and np.array_equal(self.trie.keys, other.trie.keys)
            and np.array_equal(self.frequent, other.frequent)
        )


def build_trie(keys: Ints, vocab_size: int, order: int, contexts: int) -> Trie:
    """A trie of n-grams.

    Args:
        keys: parent * V + token of each n-gram of two tokens and more, sorted; see `trie_keys`.
        vocab_size: V, the number of tokens.
        order: n, the length of the longest n-gram.
        contexts: number of nodes that have a backoff.
    """
    return Trie(vocab_size, order, keys, np.searchsorted(keys, np.arange(contexts + 1) * vocab_size))

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
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import MAX_CONTEXT_VECTORS
from charlm.errors import ModelFileError
from charlm.ngram.counts import Ints, NgramCounts, Stream, count_ngrams
from charlm.ngram.kneser_ney import Floats, Singles, estimate, keep_frequent, most_frequent, trie_keys
from charlm.ngram.trie import Nodes, Trie, compiled_lookup
from charlm.progress import Progress, silent

MAX_ORDER = 32
"""The longest n-grams that a file may have."""
MAX_NGRAMS = 1 << 24
"""N-grams of two tokens and more that a model holds unless told otherwise."""

FREQUENT_LENGTHS = (2, 5)
"""Tokens of the shortest and the longest context that `NgramModel.frequent` may name."""

_CHUNK = 1 << 20  # tokens scored at a time


class NgramModel:
    """Probabilities of the next token given the last n - 1; made by `fit`, never changed.

    A state is what is known of the tokens so far, as n - 1 nodes: the last token's, that of the last two, and so on to
    the last n - 1. Where less is known, or they were never seen, or a BOS stands among them but at the beginning, it is
    -1. Where there is a C compiler, `advance` is compiled_lookup (`charlm.ngram.trie`).
    """

    def __init__(
        self,
        vocab_size: int,
        bos: int,
        order: int,
        unigrams: Singles,
        keys: Ints,
        weights: Singles,
        backoffs: Singles,
        frequent: NDArray[np.int32],
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
        self._trie = Trie(vocab_size, order, keys, self._first)
        self.frequent = frequent
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
            counts: of n-grams at least as long as `order`.
            order: n; None is the longest that were counted.
            max_ngrams: where there are more n-grams of two tokens and above, those that occur once are left out, from
                the longest down, if need be those that occur twice, and so on. Their weight goes to the backoff of
                their context, so that probabilities still sum to 1.
        """
        return cls.without_folds(counts, 0, order=order, max_ngrams=max_ngrams)[0]

    @classmethod
    def without_folds(
        cls,
        counts: NgramCounts,
        folds: int,
        *,
        order: int | None = None,
        max_ngrams: int = MAX_NGRAMS,
        threads: int = 1,
        progress: Progress = silent,
    ) -> list[Self]:
        """The model of a text, and for each of so many equal parts of it that of the text without the part.

        What such a model says of its fold is honest, as what that of the whole says of another text. All share the trie
        of the whole text, so that nodes mean the same to all. They are estimated `threads` at a time, and `progress` is
        told how many are; the other arguments are those of `from_counts`. Raises `ValueError` for an order that was not
        counted.
        """
        order = counts.order if order is None else order
        if not 1 <= order <= counts.order:
            raise ValueError(f"order is {order}; it must be at least 1 and at most {counts.order}, which was counted")
        kept = keep_frequent(counts, order, max_ngrams)
        keys = trie_keys(counts, kept)
        shortest, longest = FREQUENT_LENGTHS
        frequent = most_frequent(counts, kept, range(shortest, min(longest, order - 1) + 1), MAX_CONTEXT_VECTORS)

        def without(fold: int | None) -> tuple[Singles, Singles, Singles]:
            return estimate(counts, kept, None if fold is None else counts.fold(fold, folds))

        models: list[Self] = []
        with ThreadPoolExecutor(threads) as pool:
            for tables in pool.map(without, [None, *range(folds)]):
                models.append(
                    models[0]._estimated(*tables)
                    if models
                    else cls(counts.vocab_size, counts.bos, order, tables[0], keys, *tables[1:], frequent)
                )
                progress("estimating n-grams", len(models), folds + 1)
        return models

    def __deepcopy__(self, memo: object) -> Self:
        """The model itself: it is never changed."""
        return self

    def _estimated(self, unigrams: Singles, weights: Singles, backoffs: Singles) -> Self:
        """A model with the same trie and other probabilities."""
        model = copy(self)
        model._unigrams, model._weights, model._backoffs = unigrams, weights, backoffs
        return model

    @property
    def num_ngrams(self) -> int:
        """N-grams of two tokens and more."""
        return len(self._keys)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        parts = (self._unigrams, self._keys, self._weights, self._backoffs, self._first, self.frequent)
        return sum(part.nbytes for part in parts)

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
        states = self.advance(self.no_context(1), tokens[:, None])[:, 0]  # (N, n - 1)
        for k in range(1, self.order):
            context = np.concatenate(([-1], states[:-1, k - 1]))
            node = states[:, k] if k < self.order - 1 else self._children(context, tokens)
            known = np.flatnonzero(context >= 0)
            chance[known] *= self._backoffs[context[known]]
            seen = np.flatnonzero(node >= 0)
            chance[seen] += self._weights[node[seen] - self.vocab_size]
        chance[tokens == self.bos] = 1.0
        return -np.log(chance)

    def no_context(self, rows: int) -> Nodes:
        """The state when nothing is known of what came before, (B, n - 1)."""
        return np.full((rows, self.order - 1), -1, dtype=np.int32)

    def advance(self, state: Nodes, ids: NDArray[Any]) -> Nodes:
        """The states after each token.

        Args:
            state: before the first token, (B, n - 1).
            ids: (T, B).

        Returns:
            (T, B, n - 1).
        """
        if lookup := compiled_lookup():
            return lookup.advance(self._trie, state, ids)
        states = np.empty((*np.shape(ids), self.order - 1), dtype=np.int32)
        tokens = np.asarray(ids, dtype=np.int64)
        node = tokens
        for k in range(self.order - 1):
            if k:
                node = self._children(np.concatenate((state[None, :, k - 1], node[:-1])), tokens)
            states[..., k] = node
        return states

    def probabilities(self, states: Nodes) -> Floats:
        """The distribution of the next token in each state, (N, n - 1), as (N, V)."""
        chances: Floats = self.by_order(states, (self.order,), np.float64)[:, 0]
        return chances

    def by_order(self, states: Nodes, orders: Sequence[int], dtype: type[np.floating[Any]]) -> NDArray[Any]:
        """`probabilities` by this model and by those of lower order in it, (N, J, V), for J orders, ascending."""
        found = np.empty((len(states), len(orders), self.vocab_size), dtype=dtype)
        chances: NDArray[Any] = np.tile(self._unigrams.astype(dtype), (len(states), 1))  # (N, V)
        for order in range(1, self.order + 1):
            if order > 1:
                rows = np.flatnonzero(states[:, order - 2] >= 0)
                context = states[rows, order - 2].astype(np.int64)
                first = self._first[context]
                children = self._first[context + 1] - first
                each = np.repeat(np.arange(len(rows)), children)
                child = np.arange(len(each)) + (first - np.cumsum(children) + children)[each]
                tokens = self._keys[child] - context[each] * self.vocab_size
                chances[rows] *= self._backoffs[context, None]
                chances[rows[each], tokens] += self._weights[child]
            if order in orders:
                found[:, orders.index(order)] = chances
        return found

    def distribution(self, history: Sequence[int]) -> Floats:
        """The distribution of the token after `history`, of which the last n - 1 tokens count, (V,)."""
        ids = np.array(history[max(0, len(history) - self.order + 1) :], dtype=np.int64)[:, None]  # (T, 1)
        before = self.no_context(1)
        chances: Floats = self.probabilities(self.advance(before, ids)[-1] if len(ids) else before)[0]
        return chances

    def tokens_of(self, node: int) -> tuple[int, ...]:
        """The tokens of a node."""
        tokens = []
        while node >= self.vocab_size:
            node, token = divmod(int(self._keys[node - self.vocab_size]), self.vocab_size)
            tokens.append(token)
        return (node, *reversed(tokens))

    def same_nodes(self, other: Self) -> bool:
        """Whether a node means the same to another model, and the same contexts are frequent."""
        return (
            self.order == other.order
            and np.array_equal(self._keys, other._keys)
            and np.array_equal(self.frequent, other.frequent)
        )

    def tables(self) -> tuple[Trie, Singles, Singles, Singles]:
        """What compiled_lookup code looks up: the trie, the probabilities of single tokens, weights, and backoffs."""
        return self._trie, self._unigrams, self._weights, self._backoffs

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The model as arrays by name, for a file; `from_arrays` makes the model again, equal to the last bit."""
        children = np.diff(self._first).astype(np.int32)
        parents = np.repeat(np.arange(len(children)), children)
        return {
            "sizes": np.array([self.vocab_size, self.bos, self.order]),
            "unigrams": self._unigrams,
            "tokens": (self._keys - parents * self.vocab_size).astype(np.uint8 if self.vocab_size <= 256 else np.int32),
            "weights": self._weights,
            "children": children,
            "backoffs": self._backoffs,
            "frequent": self.frequent,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of `to_arrays`; raises `ModelFileError` for what it can't have written."""
        try:
            if any(array.ndim != 1 for array in arrays.values()):
                raise ValueError("shapes")
            vocab_size, bos, order = (int(size) for size in arrays["sizes"])
            if not 1 <= order <= MAX_ORDER:
                raise ValueError("order")
            unigrams, weights, backoffs = (arrays[name] for name in ("unigrams", "weights", "backoffs"))
            tokens, children = arrays["tokens"].astype(np.int64), arrays["children"].astype(np.int64)
            if np.any(children < 0) or children.sum() != len(tokens):
                raise ValueError("children")
            keys = np.repeat(np.arange(len(children)), children) * vocab_size + tokens
            frequent = arrays.get("frequent", np.zeros(0, np.int32))  # older files don't tell
            ends = [0, vocab_size]  # of the nodes of each length
            for begin in range(order - 1):
                ends.append(ends[-1] + int(children[ends[begin] : ends[begin + 1]].sum()))
            fits = (
                0 <= bos < vocab_size == len(unigrams)
                and len(backoffs) == len(children) == ends[order - 1]
                and vocab_size + len(weights) == ends[order]
                and np.all((tokens >= 0) & (tokens < vocab_size))
                and np.all(np.diff(keys) > 0)
                and len(np.unique(frequent)) == len(frequent) <= MAX_CONTEXT_VECTORS
                and frequent.dtype == np.int32
                and np.all((frequent >= vocab_size) & (frequent < len(backoffs)))
                and all(a.dtype == np.float32 and np.all((a >= 0) & (a <= 1)) for a in (unigrams, weights, backoffs))
            )
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise ModelFileError(f"the n-gram model is damaged ({error}); use another copy of it") from None
        if not fits:
            raise ModelFileError("the n-gram model is damaged: its parts do not fit together; use another copy of it")
        return cls(vocab_size, bos, order, unigrams, keys, weights, backoffs, frequent)

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

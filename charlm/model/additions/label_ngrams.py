"""An n-gram model of the documents of each value of a label, which is added to the logits as the labels of a text say.

A network learns slowly what tells the values of a label apart, since that is a small part of what it is trained for,
and the n-gram prior counts all documents together. Counts of the documents of one value know it at once. So with p_v
the n-gram model of value v, p that of all documents, and f_v the factor of the value,

    weight * sum over v of f_v (ln p_v - ln p)

is added to the logits. The network is trained without it, and `charlm.evaluation.calibration` fits the weight to the
validation split. `charlm classify` uses the models by themselves (`charlm.evaluation.spans.label_ngrams`).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.config import SMALL_VOCABULARY
from charlm.data.token_split import TokenSplit
from charlm.model.additions.ngram_prior import most_counted
from charlm.ngram.mixture import NgramQuery
from charlm.ngram.model import NgramModel
from charlm.ngram.trie import Nodes
from charlm.tokenizers import Tokenizer

_ORDER, _ORDER_LARGE = 6, 3  # the latter for a large vocabulary
_STRETCHES = 1000  # that are read of a text which is too large to count
_UNKNOWN = -1  # in place of a token before the first

_Texts = list[NDArray[np.integer]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelNgrams:
    """The n-gram models of N values of labels, all of one order n and with the same V tokens."""

    models: tuple[NgramModel, ...]
    weight: float = 0.0
    """0 adds nothing."""

    @property
    def order(self) -> int:
        """n."""
        return self.models[0].order

    def initial_state(self, batch: int) -> Tensor:
        """The n - 1 tokens before the first of each of B = `batch` texts, which are unknown, (B, n - 1) int32."""
        return torch.full((batch, self.order - 1), _UNKNOWN, dtype=torch.int32)

    def read(self, ids: Tensor, before: Tensor, factors: Tensor, of_all: NgramModel) -> tuple[Tensor, Tensor]:
        """What to add to the logits after each token, (T, B, V), and the last n - 1 tokens, (B, n - 1).

        Args:
            ids: tokens, (T, B).
            before: the n - 1 tokens before them, (B, n - 1).
            factors: f_v, (B, N).
            of_all: an n-gram model of all documents; of a higher order than n, the model of order n within it is used.
        """
        steps, rows = ids.shape
        tokens = np.concatenate((before.T.cpu().numpy(), ids.cpu().numpy()))  # (n - 1 + T, B)
        shares, models = self.shares(factors), (*self.models, of_all)
        added = np.zeros((rows, steps, of_all.vocab_size), dtype=np.float32)
        for index in np.flatnonzero(shares.any(axis=0)).tolist():
            having = np.flatnonzero(shares[:, index])
            states = states_after(models[index], tokens[:, having])[-steps:].swapaxes(0, 1)  # (B, T, n - 1)
            log_p = self.log_p(models[index], states.reshape(len(having) * steps, -1))
            added[having] += shares[having, index, None, None] * log_p.reshape(len(having), steps, -1)
        after = torch.from_numpy(tokens[steps:].T.astype(np.int32))
        return torch.from_numpy(added).transpose(0, 1).to(factors), after

    def shares(self, factors: Tensor) -> NDArray[np.float32]:
        """What the log-probabilities of each model, and then of that of all documents, are multiplied by, (B, N + 1).

        `factors` are f_v, (B, N).
        """
        of_values = self.weight * factors.cpu().numpy()
        return np.column_stack((of_values, -of_values.sum(axis=1))).astype(np.float32)

    def log_p(self, model: NgramModel, states: Nodes) -> NDArray[np.float32]:
        """Log-probabilities by one of the models, or by the model of order n in that of all documents, in each state,
        (N, V)."""
        query = NgramQuery(states, (model,), np.zeros(len(states), dtype=np.int64))
        weights = np.ones((len(states), 1), dtype=np.float32)
        return query.mixture((min(self.order, model.order),), weights)[0]


def states_after(model: NgramModel, tokens: NDArray[np.integer]) -> Nodes:
    """The states after each of the tokens (T, B), the first of which may be unknown: (T, B, n - 1)."""
    states = model.advance(model.no_context(tokens.shape[1]), np.maximum(tokens, 0))
    known = np.arange(1, len(tokens) + 1)[:, None] - np.sum(tokens == _UNKNOWN, axis=0)  # (T, B)
    states[known[..., None] <= np.arange(model.order - 1)] = -1
    return states


def fit_label_ngrams(split: TokenSplit, tokenizer: Tokenizer, number: int, *, memory: int | None = None) -> LabelNgrams:
    """Fit an n-gram model to the documents of each value.

    Args:
        split: the training split; of a large one only stretches are counted, spread evenly over it.
        tokenizer: the tokenizer of the split.
        number: how many values all labels have together, N.
        memory: bytes that the counting may take; see `charlm.model.additions.ngram_prior.fit_prior`.

    Returns:
        N models with the weight 0; that of a value without documents gives all tokens the same probability.
    """
    most_tokens, most_ngrams = most_counted(tokenizer.vocab_size, memory)
    texts = _by_value(split, number, most_tokens)
    sizes = [sum(map(len, text)) for text in texts]
    order = _ORDER_LARGE if tokenizer.vocab_size > SMALL_VOCABULARY else _ORDER
    models = [
        NgramModel.fit(
            text,
            order=order,
            vocab_size=tokenizer.vocab_size,
            bos=tokenizer.bos,
            max_ngrams=most_ngrams * size // max(1, sum(sizes)),
        )
        for text, size in zip(texts, sizes, strict=True)
    ]
    return LabelNgrams(models=tuple(replace(model, frequent=model.frequent[:0]) for model in models))


def _by_value(split: TokenSplit, number: int, most_tokens: int) -> list[_Texts]:
    """The tokens of the documents of each of N = `number` values, about `most_tokens` in all at most."""
    texts: list[_Texts] = [[] for _ in range(number)]
    if split.labels is None:
        return texts
    stretches = 1 if len(split) <= most_tokens else min(_STRETCHES, most_tokens)
    size = min(len(split), most_tokens) // stretches
    for first in np.linspace(0, len(split) - size, stretches).astype(np.int64).tolist():
        ids = split.read(first, first + size)
        documents = np.searchsorted(split.starts, np.arange(first, first + size), side="right") - 1
        for codes in split.labels[documents].T:  # of the tokens, for each label
            order = np.argsort(codes, kind="stable")
            ends = np.searchsorted(codes, np.arange(number + 1), side="right", sorter=order)
            for value in np.flatnonzero(np.diff(ends)).tolist():
                texts[value].append(ids[order[ends[value] : ends[value + 1]]])
    return texts

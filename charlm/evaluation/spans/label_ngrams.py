"""An n-gram model of the documents of each value of a label: a second opinion on which value a document has.

A network that predicts each character learns slowly what tells the values apart, since that is a small part of what it
is trained for. Counts know it at once, but only for n-grams that they have seen. `charlm classify` uses the mean of the
nats of both (docs/notes/experiments.md).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from charlm.config import SMALL_VOCABULARY
from charlm.data.token_split import TokenSplit
from charlm.model.additions.ngram_prior import most_counted
from charlm.model.language_model import LanguageModel
from charlm.ngram.kneser_ney import Floats
from charlm.ngram.model import NgramModel
from charlm.ngram.score import token_nats
from charlm.tokenizers import Tokenizer

_ORDER, _ORDER_LARGE = 6, 3  # the latter for a large vocabulary
_SHARE = 0.9  # of the model of a value; the rest is that of the n-gram model of all documents
_STRETCHES = 1000  # that are read of a text which is too large to count

_Texts = list[NDArray[np.integer]]


def fit_label_ngrams(
    split: TokenSplit, tokenizer: Tokenizer, number: int, *, memory: int | None = None
) -> tuple[NgramModel, ...]:
    """Fit an n-gram model to the documents of each value.

    Args:
        split: the training split; of a large one only stretches are counted, spread evenly over it.
        tokenizer: the tokenizer of the split.
        number: how many values all labels have together, N.
        memory: bytes that the counting may take; see `charlm.model.additions.ngram_prior.fit_prior`.

    Returns:
        N models; that of a value without documents gives all tokens the same probability.
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
    return tuple(replace(model, frequent=model.frequent[:0]) for model in models)


def ngram_nats(model: LanguageModel, tokenizer: Tokenizer, texts: Sequence[str], values: slice) -> Floats:
    """Nats of K documents, with their ends, by the n-gram models of M values, (K, M).

    Args:
        model: a model with `label_ngrams`.
        tokenizer: the tokenizer of the model.
        texts: the documents.
        values: which of the values of all labels.
    """
    assert model.prior is not None and model.prior.ngram is not None
    documents = [[tokenizer.bos, *ids.tolist(), tokenizer.eos] for ids in tokenizer.encode_all(texts)]
    ids = np.array([token for document in documents for token in document])
    starts = np.cumsum([0, *map(len, documents[:-1])])
    of_all = (1 - _SHARE) * np.exp(-token_nats(model.prior.ngram, ids))
    nats = (-np.log(_SHARE * np.exp(-token_nats(one, ids)) + of_all) for one in model.label_ngrams[values])
    return np.stack([np.add.reduceat(each, starts) for each in nats], axis=1)


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

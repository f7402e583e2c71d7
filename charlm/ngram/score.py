"""How well an n-gram model predicts a text, in nats."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.counts import Ints
from charlm.ngram.kneser_ney import Floats
from charlm.ngram.model import NgramModel
from charlm.progress import Progress, silent


class TokenSequence(Protocol):
    """Tokens in an array, or on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Any: ...


def token_nats(model: NgramModel, ids: NDArray[Any], *, chunk: int = 1 << 20) -> Floats:
    """Nats of every token given the tokens before it in its document, (N,); 0 for BOS, which is not predicted.

    Args:
        model: the n-gram model.
        ids: the tokens of the documents one after the other, each starting with BOS, (N,). If the first starts
            otherwise, the tokens before it are unknown.
        chunk: tokens scored at a time.
    """
    return np.concatenate([np.zeros(0), *_chunk_nats(model, ids, chunk)])


def total_nats(model: NgramModel, ids: TokenSequence, *, chunk: int = 1 << 20, progress: Progress = silent) -> float:
    """The sum of `token_nats`, in bounded memory for a text of any length."""
    total, done = 0.0, 0
    for nats in _chunk_nats(model, ids, chunk):
        total += float(nats.sum())
        done += len(nats)
        progress("scoring with n-grams", done, len(ids))
    return total


def _chunk_nats(model: NgramModel, ids: TokenSequence, chunk: int) -> Iterator[Floats]:
    """`token_nats` in chunks; each is scored with the n - 1 tokens before it."""
    for start in range(0, len(ids), chunk):
        lead = min(model.order - 1, start)
        yield _nats(model, np.asarray(ids[start - lead : start + chunk], dtype=np.int64))[lead:]


def _nats(model: NgramModel, tokens: Ints) -> Floats:
    probability = model.estimates.unigrams[tokens].astype(np.float64)
    states = model.advance(model.no_context(1), tokens[:, None])[:, 0]  # (N, n - 1)
    for k in range(1, model.order):
        context = np.concatenate(([-1], states[:-1, k - 1]))
        node = states[:, k] if k < model.order - 1 else model.children(context, tokens)
        known = np.flatnonzero(context >= 0)
        probability[known] *= model.estimates.backoffs[context[known]]
        seen = np.flatnonzero(node >= 0)
        probability[seen] += model.estimates.weights[node[seen] - model.vocab_size]
    probability[tokens == model.bos] = 1.0
    return -np.log(probability)

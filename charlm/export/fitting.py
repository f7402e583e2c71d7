"""Prunes the n-grams of a model until what is left fits into a page."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from charlm.errors import ConfigError
from charlm.export.prior_codec import rounded_ngrams
from charlm.export.pruning import pruned, pruning_costs
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.nouns import count_of
from charlm.progress import Progress

_FIRST_GUESS = 2.0  # bytes of an n-gram
_CLOSE_ENOUGH = 0.01  # of the room left
_MOST_TRIES = 8


class Fitted(NamedTuple):
    """A model with the n-grams that fit."""

    model: LanguageModel
    text: str
    """The result of `write`."""


def fit_ngrams(
    model: LanguageModel, write: Callable[[LanguageModel], str], max_size: int, *, progress: Progress
) -> Fitted:
    """Keep as many n-grams as fit, those whose loss costs most.

    Args:
        model: the model, which is not changed; its context vectors are in the order of their nodes.
        write: makes the text whose size is limited from a model.
        max_size: the most bytes of the text in UTF-8.
        progress: called with the number of sizes tried.

    Raises `ConfigError` if the text is too large without n-grams.
    """
    prior = model.prior
    if prior is None or prior.ngram is None:
        text = write(model)
        _check_size(text, max_size)
        return Fitted(model, text)
    whole = prior.ngram
    number = 0 if model.contexts is None else len(model.contexts.vectors) - 1
    costs = pruning_costs(whole, whole.frequent[:number])
    ascending = np.sort(costs.nats)

    def attempt(count: int) -> Fitted:
        least = np.inf if count == 0 else ascending[len(ascending) - count]
        ngram = whole if count == len(ascending) else pruned(costs, least)
        smaller = with_ngrams(model, rounded_ngrams(ngram))
        return Fitted(smaller, write(smaller))

    best, most = attempt(0), len(ascending)
    _check_size(best.text, max_size)
    count, size = 0, len(best.text.encode())
    guess = min(most, max(1, int((max_size - size) / _FIRST_GUESS)))
    for tries in range(_MOST_TRIES):
        progress("fitting n-grams", tries, _MOST_TRIES)
        tried = attempt(guess)
        tried_size = len(tried.text.encode())
        bytes_each = max((tried_size - size) / (guess - count), 0.1)
        if tried_size <= max_size:
            best, count, size = tried, guess, tried_size
        else:
            most = guess - 1
        guess = min(most, count + int(0.998 * (max_size - size) / bytes_each))
        if guess <= count or max_size - size < _CLOSE_ENOUGH * max_size:
            break
    progress("fitting n-grams", _MOST_TRIES, _MOST_TRIES)
    return best


@torch.no_grad()
def with_ngrams(model: LanguageModel, ngram: NgramModel) -> LanguageModel:
    """The model with other n-grams, which have its context vectors in the same order; the weights are shared."""
    with torch.device("meta"):
        other = LanguageModel(model.config)
    other.load_state_dict(model.state_dict(), assign=True)
    other.build_on(ngram)
    return other.eval()


def _check_size(text: str, max_size: int) -> None:
    if (size := len(text.encode())) > max_size:
        raise ConfigError(
            f"--max-size is {count_of(max_size, 'byte')}, but without n-grams the page takes {size:,}; give --max-size "
            f"{np.ceil(size / 1e5) / 10:g}MB or more"
        )

"""An n-gram model in about two bytes an n-gram, and the model that is left after this rounding.

The nodes are stored in the order of the trie, so a token and the number of its children are enough to place an n-gram.
As probabilities sum to 1, the weights of the children of a context are 1 - backoff in all. So each context stores
log(backoff / (1 - backoff)), and each n-gram with siblings its share of the rest, both in steps of `STEP` octaves.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.export.sections import Sections
from charlm.ngram.kneser_ney import Estimates
from charlm.ngram.model import NgramModel

STEP = 0.25
"""Octaves between two codes."""
MIDDLE = 128
"""The code of a backoff of 1/2; 0 is a backoff of 1."""


def add_ngrams(sections: Sections, model: NgramModel) -> None:
    """Add the parts of an n-gram model to the sections of a page."""
    children, parents, tokens = _structure(model)
    sections.add_singles("ngram.unigrams", model.estimates.unigrams)
    sections.add_integers("ngram.children", children)
    sections.add_integers("ngram.tokens", tokens)
    sections.add_integers("ngram.backoffs", _backoff_codes(model, children)[children > 0])
    sections.add_integers("ngram.shares", _share_codes(model, parents)[children[parents] > 1])


def rounded_ngrams(model: NgramModel) -> NgramModel:
    """The model that a page makes of the sections."""
    children, parents, _ = _structure(model)
    codes = _backoff_codes(model, children).astype(np.float64)
    odds = 2.0 ** (STEP * (codes - MIDDLE))
    backoffs = np.where(codes > 0, odds / (1 + odds), 1.0)
    shares = 2.0 ** (-STEP * _share_codes(model, parents).astype(np.float64))
    totals = np.bincount(parents, shares, minlength=len(children))
    weights = (1 - backoffs)[parents] * shares / np.maximum(totals, 1e-300)[parents]
    estimates = Estimates(
        model.estimates.unigrams, weights.astype(np.float32), np.minimum(backoffs, 1).astype(np.float32)
    )
    return NgramModel(trie=model.trie, bos=model.bos, estimates=estimates, frequent=model.frequent)


def _structure(model: NgramModel) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """How many children each context has, the context of each n-gram, and its last token."""
    children = np.diff(model.trie.first)
    parents = np.repeat(np.arange(len(children)), children)
    return children, parents, model.trie.keys - parents * model.vocab_size


def _backoff_codes(model: NgramModel, children: NDArray[Any]) -> NDArray[np.int64]:
    backoffs = model.estimates.backoffs.astype(np.float64)
    with np.errstate(divide="ignore"):
        odds = np.log2(backoffs) - np.log2(1 - backoffs)
    codes = np.clip(np.rint(odds / STEP), 1 - MIDDLE, 127).astype(np.int64) + MIDDLE
    return np.where((children > 0) & (backoffs < 1), codes, 0)


def _share_codes(model: NgramModel, parents: NDArray[Any]) -> NDArray[np.int64]:
    """-log2 of the share of each n-gram in the weights of its siblings and itself; 0 without siblings."""
    weights = model.estimates.weights.astype(np.float64)
    totals = np.bincount(parents, weights, minlength=len(model.estimates.backoffs))
    shares = weights / np.maximum(totals, 1e-300)[parents]
    with np.errstate(divide="ignore"):
        codes = np.clip(np.rint(-np.log2(shares) / STEP), 0, 255).astype(np.int64)
    return np.where(np.bincount(parents, minlength=len(totals))[parents] > 1, codes, 0)

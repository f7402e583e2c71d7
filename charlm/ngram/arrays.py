"""An n-gram model as arrays for a file, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.config import MAX_CONTEXT_VECTORS
from charlm.errors import ModelFileError
from charlm.ngram.kneser_ney import Estimates
from charlm.ngram.model import NgramModel, build_trie

MAX_ORDER = 32
"""The highest order that a file may have."""


def to_arrays(model: NgramModel) -> dict[str, NDArray[Any]]:
    """The arrays of a model by name; `from_arrays` restores the model bit for bit."""
    trie, vocab_size = model.trie, model.vocab_size
    children = np.diff(trie.first).astype(np.int32)
    parents = np.repeat(np.arange(len(children)), children)
    return {
        "sizes": np.array([vocab_size, model.bos, model.order]),
        "unigrams": model.estimates.unigrams,
        "tokens": (trie.keys - parents * vocab_size).astype(np.uint8 if vocab_size <= 256 else np.int32),
        "weights": model.estimates.weights,
        "children": children,
        "backoffs": model.estimates.backoffs,
        "frequent": model.frequent,
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> NgramModel:
    """The inverse of `to_arrays`; raises `ModelFileError` for arrays that it can't have written."""
    try:
        if any(array.ndim != 1 for array in arrays.values()):
            raise ValueError("shapes")
        vocab_size, bos, order = (int(size) for size in arrays["sizes"])
        if not 1 <= order <= MAX_ORDER:
            raise ValueError("order")
        estimates = Estimates(*(arrays[name] for name in Estimates._fields))
        tokens, children = arrays["tokens"].astype(np.int64), arrays["children"].astype(np.int64)
        if np.any(children < 0) or children.sum() != len(tokens):
            raise ValueError("children")
        keys = np.repeat(np.arange(len(children)), children) * vocab_size + tokens
        frequent = arrays.get("frequent", np.zeros(0, np.int32))  # older files have none
        ends = [0, vocab_size]  # of the nodes of each length
        for k in range(order - 1):
            ends.append(ends[-1] + int(children[ends[k] : ends[k + 1]].sum()))
        fits = (
            0 <= bos < vocab_size == len(estimates.unigrams)
            and len(estimates.backoffs) == len(children) == ends[order - 1]
            and vocab_size + len(estimates.weights) == ends[order]
            and np.all((tokens >= 0) & (tokens < vocab_size))
            and np.all(np.diff(keys) > 0)
            and len(np.unique(frequent)) == len(frequent) <= MAX_CONTEXT_VECTORS
            and frequent.dtype == np.int32
            and np.all((frequent >= vocab_size) & (frequent < len(estimates.backoffs)))
            and all(array.dtype == np.float32 and np.all((array >= 0) & (array <= 1)) for array in estimates)
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelFileError(f"the n-gram model is damaged ({error}); use another copy of it") from None
    if not fits:
        raise ModelFileError("the n-gram model is damaged: its parts do not fit together; use another copy of it")
    trie = build_trie(keys, vocab_size, order, len(estimates.backoffs))
    return NgramModel(trie=trie, bos=bos, estimates=estimates, frequent=frequent)

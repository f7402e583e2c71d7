"""Rounds the weights of a model to 8 or 16 bits: the largest of each row of a matrix gets the largest integer."""

import copy
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.model.language_model import LanguageModel

Bits = Literal[8, 16]

_INTEGERS = {8: np.int8, 16: np.int16}


class RoundedRows(NamedTuple):
    """A matrix as integers times a scale for each row."""

    scales: NDArray[np.float32]
    """(N,)."""
    levels: NDArray[np.int8] | NDArray[np.int16]
    """(N, M)."""

    def matrix(self) -> Tensor:
        """The rounded matrix, (N, M) float32."""
        return torch.from_numpy(self.levels.astype(np.float32) * self.scales[:, None])


def round_rows(matrix: Tensor, bits: Bits) -> RoundedRows:
    """Round a matrix (N, M)."""
    values = matrix.detach().float().cpu().numpy()
    most = 2 ** (bits - 1) - 1
    scales = np.abs(values).max(axis=1, initial=0).astype(np.float32) / np.float32(most)
    divisors = np.where(scales > 0, scales, 1)[:, None]
    levels = np.clip(np.rint(values / divisors), -most, most).astype(_INTEGERS[bits])
    return RoundedRows(scales, levels)


def rounded_model(model: LanguageModel, bits: Bits) -> tuple[LanguageModel, dict[str, RoundedRows]]:
    """A copy of a model with rounded matrices, on the CPU, and the matrices by name.

    Biases, and the small matrices of the n-gram prior and the match, stay as they are. Context vectors are reordered
    by their node in the n-gram model.
    """
    model = copy.deepcopy(model).float().cpu().eval()
    if model.contexts is not None:
        _sort_context_vectors(model)
    rounded: dict[str, RoundedRows] = {}
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim == 2 and not name.startswith(("prior.", "match.")):
                rounded[name] = round_rows(weights, bits)
                weights.copy_(rounded[name].matrix())
    return model, rounded


@torch.no_grad()
def _sort_context_vectors(model: LanguageModel) -> None:
    """Put the context vectors in the order of their nodes, and leave out the frequent n-grams without a vector."""
    assert model.prior is not None and model.prior.ngram is not None and model.contexts is not None
    ngram, vectors = model.prior.ngram, model.contexts.vectors
    nodes = ngram.frequent[: len(vectors) - 1]
    order = np.argsort(nodes, kind="stable")
    model.prior.ngram = replace(ngram, frequent=nodes[order])
    vectors[1 : len(order) + 1] = vectors[1 : len(order) + 1][torch.from_numpy(order)]
    model.contexts.assign(model.prior.ngram)

"""Directions in a model's states along which a label changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.features import Block
from charlm.analysis.judges import Truth, Vectors, best_unit
from charlm.direction import StateName
from charlm.errors import CharlmError


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A direction in one state of one layer that tells the label."""

    kind: Literal["unit", "weighted"]
    layer: int
    state: StateName
    vector: NDArray[np.float32]
    """(H,), of length 1; the label goes with high values."""
    mean: float
    """Over texts, of vector . (the state's mean over a text)."""
    scale: float
    """Its standard deviation."""


def weighted_direction(vectors: Vectors, truth: Truth, blocks: Sequence[Block]) -> Found:
    """From the mean state of texts without the label to that of texts with it, in the state where that tells most.

    Args:
        vectors: (N, D), as `charlm.analysis.features` makes them.
        truth: (N,).
        blocks: what they consist of.
    """
    width = vectors.shape[1] // len(blocks)
    found: tuple[int, Found] | None = None
    for index, block in enumerate(blocks):
        if block.moment != "mean":
            continue
        values = vectors[:, index * width : (index + 1) * width]
        across = values[truth].mean(0) - values[~truth].mean(0)
        length = float(np.linalg.norm(across))
        if length == 0:
            continue
        one = _found("weighted", block, across / length, values)
        right = best_unit((values @ one.vector)[:, None], truth).accuracy.right
        if found is None or right > found[0]:
            found = right, one
    if found is None:
        raise CharlmError("the model's states are the same for all texts, so there is no direction in them")
    return found[1]


def unit_direction(vectors: Vectors, truth: Truth, blocks: Sequence[Block]) -> Found:
    """The best single unit as a direction; arguments as those of `weighted_direction`."""
    width = vectors.shape[1] // len(blocks)
    places = [index for index, block in enumerate(blocks) if block.moment == "mean"]
    columns = np.concatenate([np.arange(index * width, (index + 1) * width) for index in places])
    best = best_unit(vectors[:, columns], truth)
    index, number = divmod(int(columns[best.column]), width)
    vector = np.zeros(width, np.float32)
    vector[number] = 1.0 if best.above else -1.0
    return _found("unit", blocks[index], vector, vectors[:, index * width : (index + 1) * width])


def _found(kind: Literal["unit", "weighted"], block: Block, vector: Vectors, values: Vectors) -> Found:
    along = values @ vector
    return Found(
        kind=kind,
        layer=block.layer,
        state=block.state,
        vector=vector.astype(np.float32),
        mean=float(along.mean()),
        scale=max(float(along.std()), 1e-6),
    )

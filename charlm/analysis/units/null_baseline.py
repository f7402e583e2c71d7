"""How well units follow a property that have learnt nothing.

Some properties can be told from the last character or two, and so any unit tells them a little: among hundreds of units
that were drawn at random, some look as if they had learnt to. What the best of them comes to is null_baseline, by the same
procedure: chosen on one half of the text, measured on the other.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.units.activations import follow
from charlm.analysis.units.properties import Property
from charlm.analysis.units.ranks import rank_figures
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit
from charlm.progress import Progress, silent

_NETWORKS = 8
_LENGTH = 512  # tokens of a stretch; a network that has learnt nothing remembers fewer
_STRETCHES = 64
_VALUES = 1 << 25  # of all units at all places


@torch.inference_mode()
def null_baseline(
    model: LanguageModel,
    ids: NDArray[np.int64],
    units: Sequence[Unit],
    held: Sequence[Property],
    halves: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """What the best unit of eight untrained networks comes to.

    Args:
        model: whose shape and initial weights the networks have.
        ids: N tokens; stretches spread evenly over them are read, 32,768 tokens at most.
        units: which to look at.
        held: properties of N values.
        halves: places to choose by, and places to measure on, (N,) each.
        progress: told how many networks are done.

    Returns:
        For each property the figure of `rank_figures` on the second half, of the unit with the best on the first.
    """
    length = min(len(ids), _LENGTH)
    count = max(1, min(_STRETCHES, len(ids) // length, _VALUES // (len(units) * length)))
    places = np.linspace(0, len(ids) - length, count).astype(np.int64) + np.arange(length)[:, None]  # (T, B)
    here = [one.at(places.ravel()) for one in held]
    sides = [half[places.ravel()] for half in halves]
    stream = torch.from_numpy(ids[places])
    best = np.full(len(held), -1.0)
    for seed in range(_NETWORKS if held else 0):
        network = LanguageModel(replace(model.config, ngram_order=0, context_vectors=0)).eval()
        network.initialise(torch.Generator().manual_seed(seed))
        layers, _ = follow(network, stream, network.initial_state(count), gates=False)
        figures = [
            np.concatenate([rank_figures(_values(layers[layer][name]), here, side) for layer, name in _series(units)])
            for side in sides
        ]
        chosen = np.abs(figures[0]).argmax(axis=0), np.arange(len(held))
        best = np.maximum(best, np.sign(figures[0][chosen]) * figures[1][chosen])
        progress("measuring null_baseline", seed + 1, _NETWORKS)
    return best


def _series(units: Sequence[Unit]) -> list[tuple[int, str]]:
    return list(dict.fromkeys((unit.layer, unit.series) for unit in units))


def _values(states: torch.Tensor) -> NDArray[np.float32]:
    """(T, B, H) to (H, T B)."""
    values: NDArray[np.float32] = states.flatten(0, 1).T.numpy()
    return values

"""How well units of untrained networks follow a property: the baseline for the units of a trained model.

Some properties can be read off the last character or two, so every unit follows them a little, and among hundreds of
random units a few look by chance as if they had learnt to. The baseline is the best unit of several untrained networks,
found by the same procedure: selected on one half of the text, measured on the other.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.units.activations import follow
from charlm.analysis.units.properties import Property
from charlm.analysis.units.ranks import rank_statistics
from charlm.config import without_additions
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit, series_of
from charlm.progress import Progress, silent

_NETWORKS = 8
_LENGTH = 512  # tokens per stream; an untrained network remembers fewer
_STREAMS = 64
_VALUES = 1 << 25  # values of all units at all positions


@torch.inference_mode()
def null_baseline(
    model: LanguageModel,
    ids: NDArray[np.int64],
    units: Sequence[Unit],
    properties: Sequence[Property],
    halves: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """The best that a unit of eight untrained networks reaches by chance, for each property.

    Args:
        model: the model whose shape and initialisation the networks have.
        ids: the N tokens of the text; streams evenly spaced over them are read, 32,768 tokens at most.
        units: the units to compare.
        properties: the properties of the text, with N values each.
        halves: positions to select units on, and positions to measure them on, (N,) each.
        progress: receives how many networks are done.

    Returns:
        (properties,): in each network the unit with the largest absolute `rank_statistics` on the first half is
        selected; the value is its statistic on the second half, times its sign on the first, maximum over the networks.
    """
    length = min(len(ids), _LENGTH)
    count = max(1, min(_STREAMS, len(ids) // length, _VALUES // (len(units) * length)))
    places = np.linspace(0, len(ids) - length, count).astype(np.int64) + np.arange(length)[:, None]  # (T, B)
    sampled = [one.at(places.ravel()) for one in properties]
    sampled_halves = [half[places.ravel()] for half in halves]
    stream = torch.from_numpy(ids[places])
    best = np.full(len(properties), -1.0)
    for seed in range(_NETWORKS if properties else 0):
        network = LanguageModel(without_additions(model.config)).eval()
        network.initialise(torch.Generator().manual_seed(seed))
        layers, _ = follow(network, stream, network.initial_state(count), gates=False)
        selection, held_out = (
            np.concatenate(
                [rank_statistics(_values(layers[layer][name]), sampled, half) for layer, name in series_of(units)]
            )
            for half in sampled_halves
        )
        selected = np.abs(selection).argmax(axis=0), np.arange(len(properties))
        best = np.maximum(best, np.sign(selection[selected]) * held_out[selected])
        progress("measuring untrained networks", seed + 1, _NETWORKS)
    return best


def _values(states: torch.Tensor) -> NDArray[np.float32]:
    """(T, B, H) to (H, T B)."""
    values: NDArray[np.float32] = states.flatten(0, 1).T.numpy()
    return values

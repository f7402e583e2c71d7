"""How often gates are closed or open, counted as in Karpathy, Johnson and Li 2015 (arXiv 1506.02078, figure 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHUT, OPEN = 0.1, 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSaturation:
    """How often one gate of one layer is closed or open."""

    layer: int
    gate: str
    shut: NDArray[np.float64]
    """Fraction of time steps at which each unit's gate is below 0.1, (H,)."""
    open: NDArray[np.float64]
    """Fraction of time steps at which it is above 0.9, (H,)."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"layer": self.layer, "gate": self.gate, "shut": self.shut.tolist(), "open": self.open.tolist()}


class Saturation:
    """Accumulates counts over a text that is read in chunks."""

    def __init__(self, num_layers: int, gates: Sequence[str], hidden_size: int) -> None:
        self._counts = {
            (layer, gate): torch.zeros(2, hidden_size, dtype=torch.int64)
            for layer in range(num_layers)
            for gate in gates
        }
        self._steps = [0] * num_layers

    def add(self, layer: int, gates: Mapping[str, Tensor]) -> None:
        """Count the gates of a layer, (T, B, H) each."""
        for gate, values in gates.items():
            self._counts[layer, gate] += torch.stack(((values < SHUT).sum((0, 1)), (values > OPEN).sum((0, 1))))
        self._steps[layer] += next(iter(gates.values())).shape[:2].numel() if gates else 0

    def shares(self) -> tuple[GateSaturation, ...]:
        """Fractions of all time steps counted so far, for each gate of each layer."""
        saturation = []
        for (layer, gate), counts in self._counts.items():
            shut, opened = (counts.double() / max(1, self._steps[layer])).numpy()
            saturation.append(GateSaturation(layer=layer, gate=gate, shut=shut, open=opened))
        return tuple(saturation)

"""How often gates are shut or open, as Karpathy, Johnson and Li 2015 counted it (arXiv 1506.02078, figure 2)."""

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
    """One gate of one layer."""

    layer: int
    gate: str
    shut: NDArray[np.float64]
    """Share of the time in which the gate of each unit is below 0.1, (H,)."""
    open: NDArray[np.float64]
    """Share of the time in which it is above 0.9, (H,)."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"layer": self.layer, "gate": self.gate, "shut": self.shut.tolist(), "open": self.open.tolist()}


class Saturation:
    """Counts over the windows of a text."""

    def __init__(self, num_layers: int, gates: Sequence[str], hidden_size: int) -> None:
        self._counts = {
            (layer, gate): torch.zeros(2, hidden_size, dtype=torch.int64)
            for layer in range(num_layers)
            for gate in gates
        }
        self._steps = [0] * num_layers

    def add(self, layer: int, gates: Mapping[str, Tensor]) -> None:
        """The gates of a layer through a window, (T, B, H) each."""
        for gate, values in gates.items():
            self._counts[layer, gate] += torch.stack(((values < SHUT).sum((0, 1)), (values > OPEN).sum((0, 1))))
        self._steps[layer] += next(iter(gates.values())).shape[:2].numel() if gates else 0

    def shares(self) -> tuple[GateSaturation, ...]:
        """Of all that was added."""
        found = []
        for (layer, gate), counts in self._counts.items():
            shut, opened = (counts.double() / max(1, self._steps[layer])).numpy()
            found.append(GateSaturation(layer=layer, gate=gate, shut=shut, open=opened))
        return tuple(found)

"""What `charlm.analysis.units.neurons` finds: the units that follow a property, and whether that is confirmed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.units.properties import Kind
from charlm.analysis.units.saturation import GateSaturation
from charlm.model.unit import Unit

MIN_METRIC = {"yes or no": 0.75, "number": 0.4}
"""Smallest held-out metric of a confirmed unit."""
MAX_DROP = 0.1
"""Largest difference by which its held-out metric may be below its selection metric."""
MIN_MARGIN = {"yes or no": 0.05, "number": 0.1}
"""Smallest margin of both metrics over the best unit of untrained networks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Follower:
    """How well one unit follows one property."""

    unit: Unit
    sign: int
    """1 if the unit is high where the property holds (or is high), -1 if it is low there."""
    chosen: float
    """The metric on the selection blocks."""
    found: float
    """The metric on the held-out blocks, with the sign of the first: below 1/2 (AUC) or 0 (correlation) if the relation
    is reversed there."""
    confirmed: bool
    """Whether `found` is at least `MIN_METRIC` and at most `MAX_DROP` below `chosen`, and both exceed the metric of
    untrained networks by `MIN_MARGIN`."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        names = ("sign", "chosen", "found", "confirmed")
        return {"unit": str(self.unit)} | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A property and the units that follow it best."""

    name: str
    kind: Kind
    mean: float
    """Mean of the property where it is defined; for a yes-or-no property, the fraction of places where it holds."""
    untrained: float
    """The metric of the best unit of untrained networks, selected and measured in the same way."""
    followers: tuple[Follower, ...]
    """The best units by their metric on the selection blocks, the best first; each unit with its better state."""

    @property
    def confirmed(self) -> Follower | None:
        """The best confirmed unit."""
        return next((follower for follower in self.followers if follower.confirmed), None)

    def response(self, follower: Follower) -> str:
        """Whether the unit is high or low where the property holds, or rises or falls with it."""
        words = ("high", "low") if self.kind == "yes or no" else ("rises", "falls")
        return words[follower.sign < 0]

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return "AUC" if self.kind == "yes or no" else "correlation"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "property": self.name,
            "kind": self.kind,
            "mean": self.mean,
            "untrained": self.untrained,
            "units": [follower.to_json() for follower in self.followers],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Neurons:
    """The result of `find_neurons` on a text of N tokens."""

    texts: tuple[str, ...]
    """The text of each token, N of them."""
    property_values: dict[str, NDArray[np.float32]]
    """Each property at the last character of each token, (N,)."""
    held_out: NDArray[np.bool_]
    """Tokens not used to select units, (N,)."""
    findings: tuple[Finding, ...]
    left_out: dict[str, str]
    """Properties that can't be examined on this text, and why."""
    best: tuple[tuple[str, Follower], ...]
    """For every unit, the property that it follows best on the selection blocks."""
    values: dict[Unit, NDArray[np.float32]]
    """Values of the units in `findings` after every token, (N,)."""
    saturation: tuple[GateSaturation, ...]
    """One for each gate of each layer."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "tokens": len(self.texts),
            "properties": [one.to_json() for one in self.findings],
            "left_out": self.left_out,
            "units": [{"property": name} | one.to_json() for name, one in self.best],
            "gates": [one.to_json() for one in self.saturation],
        }

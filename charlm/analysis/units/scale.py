"""How strongly each token of a reading is coloured, in the terminal and on the page."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.units.reading import Reading
from charlm.model.unit import Unit

_MOST_BITS = 10  # tokens with at least this many bits get the full colour


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The values that get no colour and the full colour, on each side."""

    middle: float
    """The value without a colour."""
    reach: float
    """The distance from `middle` of the values with the full colour, above 0."""
    marks: tuple[tuple[str, float], ...]
    """The labels of the legend, each with its share of the full colour, -1 to 1."""

    def shares(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The share of the full colour of each value: from -1, far below the middle, to 1."""
        return ((values - self.middle) / self.reach).clip(-1, 1)


def scale_of(reading: Reading, unit: Unit | None = None) -> Scale:
    """The scale of the values of `unit`, or of the bits if there is none."""
    if unit is not None and unit.gate is not None:
        return Scale(middle=0.5, reach=0.5, marks=(("0 closed", -1), ("0.5", 0), ("1 open", 1)))
    if reading.values is None:
        marks = tuple((f"{bits} bits", bits / _MOST_BITS) for bits in (0, 2, 5))
        return Scale(middle=0, reach=_MOST_BITS, marks=(*marks, (f"{_MOST_BITS} bits or more", 1)))
    largest = max(1e-9, float(np.abs(reading.values).max()))
    return Scale(middle=0, reach=largest, marks=((f"-{largest:.2f}", -1), ("0", 0), (f"+{largest:.2f}", 1)))

import numpy as np
import pytest

from charlm.analysis.units.reading import Reading
from charlm.analysis.units.scale import scale_of
from charlm.model.unit import Unit


def reading(bits: list[float], values: list[float] | None = None) -> Reading:
    none = np.zeros((len(bits), 0))
    own = None if values is None else np.array(values, dtype=np.float32)
    return Reading(
        ids=none, texts=("a",) * len(bits), bits=np.array(bits), likeliest=none, probabilities=none, values=own
    )


def test_ten_bits_have_the_full_colour() -> None:
    scale = scale_of(reading([0, 5, 10, 20]))
    assert scale.shares(np.array([0, 5, 10, 20])).tolist() == [0, 0.5, 1, 1]
    assert scale.marks[0] == ("0 bits", 0) and scale.marks[-1] == ("10 bits or more", 1)


def test_the_largest_value_of_a_unit_has_the_full_colour() -> None:
    scale = scale_of(reading([1, 1, 1], [-0.8, 0, 0.4]), Unit(layer=0, number=1))
    assert scale.shares(np.array([-0.8, 0, 0.4])).tolist() == pytest.approx([-1, 0, 0.5])
    assert scale.marks == (("-0.80", -1), ("0", 0), ("+0.80", 1))


def test_a_gate_is_coloured_from_closed_to_open() -> None:
    scale = scale_of(reading([1, 1], [0.25, 1]), Unit(layer=0, number=1, gate="f"))
    assert scale.shares(np.array([0.25, 1])).tolist() == [-0.5, 1]
    assert [label for label, _ in scale.marks] == ["0 closed", "0.5", "1 open"]


def test_a_unit_that_is_always_zero_has_no_colour() -> None:
    assert scale_of(reading([1], [0]), Unit(layer=0, number=1)).shares(np.zeros(1)).tolist() == [0]

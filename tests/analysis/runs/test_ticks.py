import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.analysis.runs.limits import Limits
from charlm.analysis.runs.ticks import labels, ticks


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (1.43, 2.61, False, ["1.5", "2.0", "2.5"]),
        (0.0, 12_000.0, False, ["0", "5,000", "10,000"]),
        (0.0, 0.003, False, ["0.000", "0.001", "0.002", "0.003"]),
        (2.34567, 2.34567, False, ["2.346"]),
        (0.05, 30.0, True, ["0.1", "1", "10"]),
        (0.15, 0.6, True, ["0.2", "0.5"]),
        (0.31, 0.48, True, ["0.35", "0.40", "0.45"]),
        (1e-9, 1e9, True, ["1e-09", "0.0001", "10", "1e+06"]),
    ],
)
def test_ticks_are_round(low: float, high: float, log: bool, texts: list[str]) -> None:
    assert labels(ticks(Limits(low=low, high=high, log=log), 4)) == texts


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.booleans(), st.integers(2, 8))
def test_there_are_some_ticks_and_not_too_many(low: float, ratio: float, log: bool, most: int) -> None:
    limits = Limits(low=low, high=low * ratio, log=log)
    values = ticks(limits, most)
    assert len(values) <= most and values == sorted(values)
    assert all(-1e-6 <= limits.share(value) <= 1 + 1e-6 for value in values)
    assert len(set(labels(values))) == len(values)

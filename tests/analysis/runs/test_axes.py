import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.analysis.runs.axes import Limits, loss_limits, robust_limits, smoothed, tick_labels, ticks, x_unit
from charlm.analysis.runs.curves import Curve, RunCurves


@pytest.mark.parametrize("outlier", [100.0, 1e9, -50.0])
@pytest.mark.parametrize("place", [0, 57])
def test_an_outlier_does_not_stretch_the_limits(outlier: float, place: int) -> None:
    values = [2 - 0.01 * step for step in range(100)]
    values[place] = outlier
    limits = robust_limits(values)
    assert limits is not None and 1.0 <= limits.low < 1.1 and 1.9 < limits.high <= 2.0


def test_a_steady_curve_is_shown_whole() -> None:
    assert robust_limits([float(step) for step in range(20)]) == Limits(low=0.0, high=19.0)
    assert robust_limits([3.0]) == Limits(low=3.0, high=3.0)
    assert robust_limits([]) is None


def test_limits_on_a_log_axis_are_positive() -> None:
    values = [0.0, 1e-30, *(10.0 ** (step / 50) for step in range(100)), 1e12]
    limits = robust_limits(values, log=True)
    assert limits == Limits(low=1.0, high=pytest.approx(10**1.98), log=True)
    assert limits is not None and limits.share(10**0.99) == pytest.approx(0.5)
    assert limits.share(1.0) == 0 and limits.clip(1e12) == limits.high


def run_of(loss: list[float], validation: list[float]) -> RunCurves:
    def curve(values: list[float]) -> Curve:
        return Curve(x=tuple(range(len(values))), y=tuple(values))

    return RunCurves(
        run="r",
        curves={
            "loss": curve(loss),
            "validation": curve(validation),
            "gradient norm": curve([]),
            "learning rate": curve([]),
        },
    )


def test_rising_validation_is_inside_the_limits_of_the_loss() -> None:
    limits = loss_limits([run_of([9.0] + [1.0 + 0.01 * step for step in range(50)], [2.0, 2.5, 3.0])])
    assert limits == Limits(low=1.0, high=3.0)
    assert loss_limits([run_of([], [])]) is None


def test_smoothing_keeps_a_slope_and_bounds_an_outlier() -> None:
    slope = Curve(x=tuple(range(200)), y=tuple(0.5 * step for step in range(200)))
    limits = Limits(low=0.0, high=100.0)
    assert smoothed(slope, limits).y == pytest.approx(slope.y)
    spike = Curve(x=slope.x, y=tuple(1e9 if step == 100 else 0.0 for step in range(200)))
    assert max(smoothed(spike, limits).y) == pytest.approx(100 / 11)
    noise = Curve(x=slope.x, y=tuple(50.0 + (-1) ** step for step in range(200)))
    assert max(abs(y - 50) for y in smoothed(noise, limits).y[10:-10]) < 0.1


@pytest.mark.parametrize(
    ("against", "longest", "unit"),
    [
        ("steps", 9e9, ("steps", 1)),
        ("time", 60, ("s", 1)),
        ("time", 600, ("min", 60)),
        ("time", 36_000, ("h", 3600)),
        ("tokens", 5000, ("tokens", 1)),
        ("tokens", 5e7, ("million tokens", 1e6)),
    ],
)
def test_the_unit_suits_the_length(against, longest: float, unit: tuple[str, float]) -> None:
    assert x_unit(against, longest) == unit


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
    assert tick_labels(ticks(Limits(low=low, high=high, log=log), 4)) == texts


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.booleans(), st.integers(2, 8))
def test_there_are_some_ticks_and_not_too_many(low: float, ratio: float, log: bool, most: int) -> None:
    limits = Limits(low=low, high=low * ratio, log=log)
    values = ticks(limits, most)
    assert len(values) <= most and values == sorted(values)
    assert all(-1e-6 <= limits.share(value) <= 1 + 1e-6 for value in values)
    assert len(set(tick_labels(values))) == len(values)

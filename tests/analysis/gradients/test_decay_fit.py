"""Curves whose rate is known, and what is said of them."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charlm.analysis.gradients.decay_fit import judge, percent


def exponential(rate: float, lags: int = 200, first: float = 0.3) -> list[float]:
    """first * 2**(rate * k)."""
    return [first * 2.0 ** (rate * lag) for lag in range(lags + 1)]


def test_a_halving_curve_vanishes_with_its_half_life() -> None:
    verdict = judge(exponential(-1 / 7))
    assert verdict.kind == "vanishes"
    assert verdict.steps == pytest.approx(7, rel=1e-9)
    assert verdict.left == pytest.approx(2 ** (-200 / 7))
    assert verdict.sentence == "vanishes with a half-life of 7.0 steps"
    assert judge(exponential(-1 / 26)).sentence == "vanishes with a half-life of 26 steps"


def test_a_doubling_curve_explodes_with_its_doubling_time() -> None:
    verdict = judge(exponential(1 / 12.34))
    assert (verdict.kind, verdict.sentence) == ("explodes", "explodes, doubling every 12 steps")
    assert verdict.steps == pytest.approx(12.34, rel=1e-9)


def test_a_flat_curve_is_carried() -> None:
    verdict = judge(exponential(math.log2(0.87) / 200))
    assert (verdict.kind, verdict.steps) == ("carried", None)
    assert verdict.sentence == "carried: after 200 steps 87% of the gradient is left"
    assert judge([1.0, 0.034]).sentence == "carried: after 1 steps 3.4% of the gradient is left"


def test_the_fit_looks_no_further_than_a_millionth() -> None:
    tail = exponential(-1 / 2)[:41] + [1e-300] * 10 + [0.0] * 150
    assert judge(tail).steps == pytest.approx(2, rel=1e-9)
    assert judge([1.0] * 40 + [0.0] * 161).kind == "vanishes"


def test_what_is_gone_at_once_or_infinite_has_a_sentence_too() -> None:
    assert judge([1.0, 0.0]).kind == "vanishes"
    assert judge([1.0, math.inf]).kind == "explodes"
    assert judge([1.0, 1e3, math.nan]).kind == "explodes"
    assert judge([0.0, 0.0]).sentence == "no gradient reaches the state at all"


def test_a_curve_that_first_rises_and_then_is_gone_vanishes() -> None:
    verdict = judge([2.0**lag for lag in range(15)] + [1e-3])
    assert verdict.kind == "vanishes" and verdict.steps is not None and verdict.steps > 0


def test_a_curve_of_one_value_is_no_curve() -> None:
    with pytest.raises(ValueError, match="lags 0 and 1"):
        judge([1.0])


@given(st.floats(-0.9, 0.9), st.integers(2, 400), st.floats(1e-9, 1e9))
def test_every_exponential_gets_its_rate_or_is_carried(rate: float, lags: int, first: float) -> None:
    assume(abs(rate) > 1e-4)
    verdict = judge(exponential(rate, lags, first))
    left = 2.0 ** (rate * lags)
    if 0.0101 < left < 9.9:
        assert verdict.kind == "carried"
    elif not 0.0099 < left < 10.1:
        assert verdict.kind == ("vanishes" if rate < 0 else "explodes")
        assert verdict.steps == pytest.approx(1 / abs(rate), rel=1e-6)


def test_percent() -> None:
    assert [percent(share) for share in (1.5, 1.0, 0.3, 0.034, 0.01)] == ["150%", "100%", "30%", "3.4%", "1.0%"]

"""Curves whose rate is known, and what is said of them."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charlm.analysis.gradients.decay_fit import fit_decay, percent


def exponential(rate: float, lags: int = 200, first: float = 0.3) -> list[float]:
    """first * 2**(rate * k)."""
    return [first * 2.0 ** (rate * lag) for lag in range(lags + 1)]


def test_a_halving_curve_vanishes_with_its_half_life() -> None:
    decay = fit_decay(exponential(-1 / 7))
    assert decay.kind == "vanishes"
    assert decay.steps == pytest.approx(7, rel=1e-9)
    assert decay.left == pytest.approx(2 ** (-200 / 7))
    assert decay.sentence == "vanishes with a half-life of 7.0 steps"
    assert fit_decay(exponential(-1 / 26)).sentence == "vanishes with a half-life of 26 steps"


def test_a_doubling_curve_explodes_with_its_doubling_time() -> None:
    decay = fit_decay(exponential(1 / 12.34))
    assert (decay.kind, decay.sentence) == ("explodes", "explodes, doubling every 12 steps")
    assert decay.steps == pytest.approx(12.34, rel=1e-9)


def test_a_flat_curve_is_carried() -> None:
    decay = fit_decay(exponential(math.log2(0.87) / 200))
    assert (decay.kind, decay.steps) == ("carried", None)
    assert decay.sentence == "carried: after 200 steps 87% of the gradient is left"
    assert fit_decay([1.0, 0.034]).sentence == "carried: after 1 step 3.4% of the gradient is left"


def test_the_fit_looks_no_further_than_a_millionth() -> None:
    tail = exponential(-1 / 2)[:41] + [1e-300] * 10 + [0.0] * 150
    assert fit_decay(tail).steps == pytest.approx(2, rel=1e-9)
    assert fit_decay([1.0] * 40 + [0.0] * 161).kind == "vanishes"


def test_what_is_gone_at_once_or_infinite_has_a_sentence_too() -> None:
    assert fit_decay([1.0, 0.0]).kind == "vanishes"
    assert fit_decay([1.0, math.inf]).kind == "explodes"
    assert fit_decay([1.0, 1e3, math.nan]).kind == "explodes"
    assert fit_decay([0.0, 0.0]).sentence == "no gradient reaches the state at all"


def test_a_curve_that_first_rises_and_then_is_gone_vanishes() -> None:
    decay = fit_decay([2.0**lag for lag in range(15)] + [1e-3])
    assert decay.kind == "vanishes" and decay.steps is not None and decay.steps > 0


def test_a_curve_of_one_value_is_no_curve() -> None:
    with pytest.raises(ValueError, match="lags 0 and 1"):
        fit_decay([1.0])


@given(st.floats(-0.9, 0.9), st.integers(2, 400), st.floats(1e-9, 1e9))
def test_every_exponential_gets_its_rate_or_is_carried(rate: float, lags: int, first: float) -> None:
    assume(abs(rate) > 1e-4)
    decay = fit_decay(exponential(rate, lags, first))
    left = 2.0 ** (rate * lags)
    if 0.0101 < left < 9.9:
        assert decay.kind == "carried"
    elif not 0.0099 < left < 10.1:
        assert decay.kind == ("vanishes" if rate < 0 else "explodes")
        assert decay.steps == pytest.approx(1 / abs(rate), rel=1e-6)


def test_percent() -> None:
    assert [percent(share) for share in (1.5, 1.0, 0.3, 0.034, 0.01)] == ["150%", "100%", "30%", "3.4%", "1.0%"]

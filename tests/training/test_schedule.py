import pytest

from charlm.training.schedule import learning_rate


def rate(progress: float, **settings: float) -> float:
    return learning_rate(progress, **({"peak": 2.0, "warmup": 0.1, "final": 0.05} | settings))


def test_it_rises_to_the_peak_and_falls_to_the_end() -> None:
    assert rate(0.05) == pytest.approx(1.0)
    assert rate(0.1) == pytest.approx(2.0)
    assert rate(0.55) == pytest.approx(2.0 * (0.05 + 0.95 / 2))
    assert rate(1.0) == rate(1.5) == pytest.approx(0.1)


def test_it_is_never_zero_and_never_above_the_peak() -> None:
    rates = [rate(step / 1000) for step in range(1001)]
    assert all(0 < value <= 2.0 for value in rates)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_without_warmup_it_begins_at_the_peak_and_all_warmup_ends_at_it() -> None:
    assert rate(0.0, warmup=0.0) == pytest.approx(2.0)
    assert rate(0.5, warmup=1.0) == pytest.approx(1.0)
    assert rate(1.0, warmup=1.0) == pytest.approx(0.1)

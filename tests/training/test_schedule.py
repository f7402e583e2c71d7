from types import SimpleNamespace

import pytest

from charlm.config import TrainConfig
from charlm.training.schedule import learning_rate, progress_of, reserve_training
from charlm.training.state import TrainingState


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


def state_of(seconds: float, **fields: float) -> TrainingState:
    """The state of a run after some seconds."""
    state = TrainingState(
        model=SimpleNamespace(prior=None), average=None, optimizers=None, generator=None, seconds=seconds, **fields
    )
    state.elapsed = lambda: state.seconds
    return state


SPLIT = SimpleNamespace(facts=SimpleNamespace(tokens=1000))


@pytest.mark.parametrize(("prepared", "left", "warned"), [(20, 38.2, 0), (40, 18.2, 1), (59, 6, 1), (600, 6, 1)])
def test_a_tenth_of_the_minutes_is_left_for_training(
    prepared: float, left: float, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    state, config = state_of(prepared), TrainConfig(minutes=1)
    reserve_training(state, config)
    assert (1 - progress_of(state, config, SPLIT)) * 60 == pytest.approx(left)
    assert len(caplog.records) == warned
    if warned:
        assert f"took {prepared} seconds of --minutes 1, so training gets only {left:.2g} seconds" in caplog.text


def test_what_follows_the_last_step_is_reserved_as_long_as_it_takes() -> None:
    def end(final_seconds: float) -> float:
        """Seconds of the steps of a run of a minute."""
        state = state_of(30, final_seconds=final_seconds)
        return 60 - (60 * progress_of(state, TrainConfig(minutes=1), SPLIT) - 30)

    assert [end(seconds) for seconds in (0, 5, 100)] == pytest.approx([58.2, 55, 48])

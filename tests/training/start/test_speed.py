import pytest

from charlm.config import DEFAULT_SHAPES, TrainConfig
from charlm.training.start import speed as speed_module
from charlm.training.start.speed import tokens_per_second


def test_the_timing_takes_a_hundredth_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(minutes: float) -> int:
        clock = iter(range(1000))
        monkeypatch.setattr(speed_module.time, "perf_counter", lambda: next(clock))
        assert tokens_per_second(20, TrainConfig(minutes=minutes, batch_size=2), 8) == 16
        return next(clock) // 2

    assert [steps(minutes) for minutes in (0.1, 10, 100)] == [2, 6, 11]


def test_the_speed_is_that_of_this_machine() -> None:
    for network in DEFAULT_SHAPES:
        assert 100 < tokens_per_second(20, TrainConfig(steps=1, batch_size=2), 8, network=network) < 1e8

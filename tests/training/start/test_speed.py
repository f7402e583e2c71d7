import pytest

from charlm.config import DEFAULT_SHAPES, ModelConfig, TrainConfig
from charlm.model.networks import recurrent
from charlm.training.start import speed as speed_module
from charlm.training.start.speed import fastest_precision, tokens_per_second

NETWORK = ModelConfig(vocab_size=20, embedding_size=32, **DEFAULT_SHAPES["recurrent"])


def test_the_timing_takes_a_hundredth_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(minutes: float) -> int:
        clock = iter(range(1000))
        monkeypatch.setattr(speed_module.time, "perf_counter", lambda: next(clock))
        assert tokens_per_second(NETWORK, TrainConfig(minutes=minutes, batch_size=2), 8) == 16
        return next(clock) // 2

    assert [steps(minutes) for minutes in (0.1, 10, 100)] == [2, 6, 11]


def test_the_speed_is_that_of_this_machine() -> None:
    for kind, shape in DEFAULT_SHAPES.items():
        network = ModelConfig(vocab_size=20, network=kind, embedding_size=32, **shape)
        assert 100 < tokens_per_second(network, TrainConfig(steps=1, batch_size=2), 8) < 1e8


@pytest.mark.parametrize(("in_float32", "chosen"), [(60.0, None), (105.0, None), (150.0, "float32")])
def test_float32_is_chosen_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, in_float32: float, chosen: str | None
) -> None:
    monkeypatch.setattr(recurrent, "has_bfloat16", lambda cell: True)
    monkeypatch.setattr(speed_module, "tokens_per_second", lambda *_: in_float32)
    config = TrainConfig(minutes=1, device="cpu")
    assert fastest_precision(NETWORK, config, 8, 100.0) == (chosen, in_float32 if chosen else 100.0)
    assert fastest_precision(NETWORK, TrainConfig(minutes=1, precision="bfloat16"), 8, 100.0) == (None, 100.0)
    for kind in ("transformer", "convolution"):  # which have no kernel for bfloat16, whatever the processor has
        other = ModelConfig(vocab_size=20, network=kind, embedding_size=32, **DEFAULT_SHAPES[kind])
        assert fastest_precision(other, config, 8, 100.0) == (None, 100.0)
    monkeypatch.setattr(recurrent, "has_bfloat16", lambda cell: False)
    assert fastest_precision(NETWORK, config, 8, 100.0) == (None, 100.0)

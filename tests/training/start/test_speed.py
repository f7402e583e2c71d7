import pytest
import torch

from charlm.config import DEFAULT_SHAPES, ModelConfig, TrainConfig
from charlm.errors import ConfigError
from charlm.model.networks import recurrent
from charlm.processes.processes import Processes
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


SMALL = ModelConfig(vocab_size=20, hidden_size=8, embedding_size=4)
CONFIG = TrainConfig(steps=1, batch_size=2, seq_len=4)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch):
    """Let torch see CUDA, and the timing find these speeds; an error is raised in it."""

    def timed(**speeds: float | Exception) -> list[str]:
        devices: list[str] = []

        def time(network: ModelConfig, config: TrainConfig, seq_len: int, *, most_seconds: float) -> float:
            devices.append(config.device)
            assert (config.batch_size, seq_len, most_seconds) == (2, 4, 1)
            assert network is SMALL
            speed = speeds[config.device]
            if isinstance(speed, Exception):
                raise speed
            return speed

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(speed_module, "tokens_per_second", time)
        return devices

    return timed


@pytest.mark.parametrize(("cuda", "fastest"), [(5e6, "cuda"), (1e3, "cpu")])
def test_auto_takes_the_faster_and_says_so_in_a_line(timed, caplog, cuda: float, fastest: str) -> None:
    devices = timed(cuda=cuda, cpu=2e5)
    assert speed_module.fastest_device(SMALL, CONFIG, Processes()) == fastest
    assert devices == ["cuda", "cpu"]
    (line,) = caplog.messages
    assert line == (
        f"--device auto: training on the device {fastest}; in a second of timing each, cuda read {cuda:,.0f} tokens "
        "per second and the CPU 200,000"
    )


def test_a_device_that_fails_is_not_taken(timed, caplog) -> None:
    timed(cuda=torch.OutOfMemoryError("CUDA out of memory.\nTried"), cpu=10.0)
    assert speed_module.fastest_device(SMALL, CONFIG, Processes()) == "cpu"
    assert caplog.messages[0] == "training on the device cuda fails: CUDA out of memory. Tried"


def test_without_cuda_nothing_is_timed_even_with_mps(timed, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = timed()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert speed_module.fastest_device(SMALL, CONFIG, Processes()) == "auto" and not devices


def test_processes_that_lack_a_gpu_train_on_the_cpu(timed, monkeypatch: pytest.MonkeyPatch) -> None:
    def use(device: torch.device) -> None:
        raise ConfigError("process 1 of this machine has no GPU of its own")

    devices, processes = timed(), Processes()
    monkeypatch.setattr(processes, "use", use)
    assert speed_module.fastest_device(SMALL, CONFIG, processes) == "cpu" and not devices

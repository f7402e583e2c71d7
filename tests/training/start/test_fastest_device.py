"""The device of a run with --device auto: chosen by speed, kept by --resume, changed on request."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.config import ModelConfig, TrainConfig
from charlm.errors import ConfigError
from charlm.processes.processes import Processes
from charlm.storage.resume_file import load_resume_file, save_resume_file
from charlm.training.start import fastest_device as module

NETWORK = ModelConfig(vocab_size=20, hidden_size=8, embedding_size=4)
CONFIG = TrainConfig(steps=1, batch_size=2, seq_len=4)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch):
    """Let torch see CUDA, and the timing find these speeds; an error is raised in it."""

    def timed(**speeds: float | Exception) -> list[str]:
        devices: list[str] = []

        def time(network: ModelConfig, config: TrainConfig, seq_len: int, *, most_seconds: float) -> float:
            devices.append(config.device)
            assert (config.batch_size, seq_len, most_seconds) == (2, 4, 1)
            assert network is NETWORK
            speed = speeds[config.device]
            if isinstance(speed, Exception):
                raise speed
            return speed

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(module, "tokens_per_second", time)
        return devices

    return timed


@pytest.mark.parametrize(("cuda", "fastest"), [(5e6, "cuda"), (1e3, "cpu")])
def test_auto_takes_the_faster_and_says_so_in_a_line(timed, caplog, cuda: float, fastest: str) -> None:
    devices = timed(cuda=cuda, cpu=2e5)
    assert module.fastest_device(NETWORK, CONFIG, Processes()) == fastest
    assert devices == ["cuda", "cpu"]
    (line,) = caplog.messages
    assert line == (
        f"--device auto: training on the device {fastest}; in a second of timing each, cuda read {cuda:,.0f} tokens "
        "per second and the CPU 200,000"
    )


def test_a_device_that_fails_is_not_taken(timed, caplog) -> None:
    timed(cuda=torch.OutOfMemoryError("CUDA out of memory.\nTried"), cpu=10.0)
    assert module.fastest_device(NETWORK, CONFIG, Processes()) == "cpu"
    assert caplog.messages[0] == "training on the device cuda fails: CUDA out of memory. Tried"


def test_without_cuda_nothing_is_timed_even_with_mps(timed, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = timed()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert module.fastest_device(NETWORK, CONFIG, Processes()) == "auto" and not devices


def test_processes_that_lack_a_gpu_train_on_the_cpu(timed, monkeypatch: pytest.MonkeyPatch) -> None:
    def use(device: torch.device) -> None:
        raise ConfigError("process 1 of this machine has no GPU of its own")

    devices, processes = timed(), Processes()
    monkeypatch.setattr(processes, "use", use)
    assert module.fastest_device(NETWORK, CONFIG, processes) == "cpu" and not devices


def test_the_real_steps_are_those_of_the_network(one_thread: None) -> None:
    speed = module._speed(NETWORK, CONFIG, "cpu")
    assert 10 < speed < 1e8


def saved_on(device: str, generator_bytes: int | None = None) -> None:
    """Rewrite the resume file as a run on another device would have written it."""
    path = Path("runs/a/resume.safetensors")
    checkpoint, resume = load_resume_file(path)
    checkpoint = replace(checkpoint, training=replace(checkpoint.training, device=device))
    if generator_bytes is not None:
        resume.tensors["generator"] = torch.zeros(generator_bytes, dtype=torch.uint8)
    save_resume_file(path, checkpoint, resume)


def test_a_run_moves_to_another_device_and_says_what_is_lost(train_run, stop_after, caplog) -> None:
    train_run(callbacks=stop_after(7))
    saved_on("cuda:0", generator_bytes=16)
    with caplog.at_level(logging.WARNING):
        outcome = api.resume_run("runs/a").outcome
    assert (outcome.finished, outcome.step) == (True, 60)
    assert (
        "the run was saved on the device cuda and continues on cpu: its weights will not be, bit for bit, those of a "
        "run that stayed there"
    ) in caplog.messages


def test_resume_keeps_the_device_of_the_run(train_run, stop_after, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    train_run(callbacks=stop_after(7))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    caplog.clear()
    assert api.resume_run("runs/a").outcome.finished  # on CUDA it would fail
    assert not [message for message in caplog.messages if "device" in message]


def test_resume_takes_another_device(train_run, stop_after, charlm) -> None:
    train_run(callbacks=stop_after(7))
    with pytest.raises(ConfigError, match="--device cuda: torch sees no such device here; use --device cpu or auto"):
        api.resume_run("runs/a", device="cuda")
    charlm("train", "--resume", "--run", "runs/a", "--device", "cpu")

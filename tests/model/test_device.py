import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.errors import ConfigError
from charlm.model.device import pick_device
from charlm.storage.resume_file import load_resume_file, save_resume_file


def present(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    """Let torch see these devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "cpu"), (False, False, "cpu")],
)
def test_auto_is_cuda_if_there_is_one_and_never_mps(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    present(monkeypatch, cuda=cuda, mps=mps)
    assert pick_device("auto") == torch.device(expected)
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_named_device_is_taken_or_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    present(monkeypatch, cuda=name == "cuda", mps=name == "mps")
    assert pick_device(name) == torch.device(name)
    present(monkeypatch, cuda=name != "cuda", mps=name != "mps")
    with pytest.raises(ConfigError, match=f"--device {name}: torch sees no such device here"):
        pick_device(name)


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
        "the run was saved on the device cuda and continues on cpu: its weights will differ in rounding from "
        "those of a run that stayed there"
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

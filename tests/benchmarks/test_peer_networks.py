"""The networks that are trained next to charlm are scored on every character, each with what precedes it."""

import math
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peer_networks import Clock, MinGRU, PlainLSTM, Task, recurrent, sliding_nats
from peers import commit_of
from torch import Tensor, nn
from torch.nn import functional as F


@pytest.fixture
def task(text: Path) -> Task:
    """A task whose budget is already used."""
    return Task(
        text=str(text), minutes=1e-9, threads=1, seed=1, width=8, nanogpt=None, iterations=0, started=time.time()
    )


def test_the_commit_of_a_checkout_is_its_own(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "One"], check=True)
    commit = commit_of(tmp_path)
    assert commit and len(commit) >= 7
    (tmp_path / "copy").mkdir()
    assert commit_of(tmp_path / "copy") is None


@pytest.mark.parametrize("network", [PlainLSTM, MinGRU])
def test_a_state_is_carried(network: Callable[[int, int], nn.Module]) -> None:
    torch.manual_seed(1)
    model = network(7, 8)
    ids = torch.randint(7, (9, 2))
    whole, _ = model(ids, None)
    first, state = model(ids[:4], None)
    second, _ = model(ids[4:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)


@pytest.mark.parametrize("network", [PlainLSTM, MinGRU])
def test_the_whole_held_out_part_is_scored(network: Callable[[int, int], nn.Module], task: Task) -> None:
    _, valid, vocab_size = task.encoded()
    torch.manual_seed(1)
    model = network(vocab_size, task.width)
    expected = F.cross_entropy(model(valid[:-1, None], None)[0][:, 0], valid[1:]).detach()
    figures = recurrent(network, task)
    assert figures["nats_per_character"] == pytest.approx(float(expected), rel=1e-4)
    assert figures["parameters"] == sum(parameter.numel() for parameter in model.parameters())


def test_the_split_is_that_of_charlm(task: Task) -> None:
    train, valid = task.read()
    assert len(train) == math.floor(0.9 * len(train + valid))
    assert train + valid == Path(task.text).read_text()


@pytest.mark.parametrize("length", [9, 10, 13, 24])
def test_a_sliding_window_scores_every_character_once(length: int) -> None:
    block, stride = 8, 3
    scored: list[int] = []

    def model(x: Tensor, y: Tensor) -> tuple[Tensor, Any]:
        assert x.shape[1] == block and bool((y == x + 1).all())
        scored.extend(y.flatten().tolist())
        logits = torch.zeros(*x.shape, length)
        logits[..., 0] = x.float()  # so that every character has another loss
        return logits, None

    ids = torch.arange(length)
    nats = sliding_nats(model, ids, block, stride)
    own = [math.log(length - 1 + math.exp(x)) for x in range(length - 1)]
    assert nats == pytest.approx(sum(own) / len(own), rel=1e-5)
    assert set(scored) == set(range(1, length))


def test_the_clock_stops_while_it_is_paused(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, now = Clock(task), task.started + 2
    monkeypatch.setattr(time, "time", lambda: now)
    with clock.paused():
        now += 5
    now += 1
    assert clock.seconds() == pytest.approx(3)

"""The networks that `benchmarks/peers.py` trains itself: a plain LSTM, a minGRU and the transformer of nanoGPT."""

import importlib.util
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from runs import content_of
from torch import Tensor, nn
from torch.nn import functional as F

Figures = dict[str, Any]
Score = Callable[[bool], float]
"""Nats per character of the held-out part; a quick estimate where the argument is False."""

BATCH, STEPS, RATE = 16, 32, 3e-3
"""Of the recurrent networks."""
CURVE_POINTS = 10


@dataclass(frozen=True)
class Task:
    """What every program is given."""

    text: str
    minutes: float
    threads: int
    seed: int
    width: int
    """Of the recurrent peers."""
    nanogpt: Path | None
    iterations: int
    """Of nanoGPT's own training."""
    started: float
    """When the program was started, as `time.time` gives it."""

    def read(self) -> tuple[str, str]:
        """The training part and the held-out part."""
        whole = content_of(self.text).decode()
        return whole[: len(whole) * 9 // 10], whole[len(whole) * 9 // 10 :]

    def encoded(self) -> tuple[Tensor, Tensor, int]:
        """Both parts as ids of characters, and how many characters there are. The held-out part begins with the last
        character before it."""
        train, valid = self.read()
        characters = sorted(set(train) | set(valid))
        ids = {character: index for index, character in enumerate(characters)}
        train_ids, valid_ids = (torch.tensor([ids[one] for one in part]) for part in (train, train[-1] + valid))
        return train_ids, valid_ids, len(characters)


class Clock:
    """The seconds that a program has used."""

    def __init__(self, task: Task) -> None:
        self._started, self._budget = task.started, 60 * task.minutes

    def seconds(self) -> float:
        """Since the program was started, without the pauses."""
        return time.time() - self._started

    def progress(self) -> float:
        """The share of the budget that is used."""
        return self.seconds() / self._budget

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock."""
        began = time.time()
        yield
        self._started += time.time() - began


class PlainLSTM(nn.Module):
    """Embedding, `nn.LSTM`, output layer."""

    def __init__(self, vocab_size: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, width)
        self.output = nn.Linear(width, vocab_size)

    def forward(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits (T, B, V) and the state after ids (T, B)."""
        hidden, state = self.lstm(self.embedding(ids), state)
        return self.output(hidden), tuple(part.detach() for part in state)


class MinGRU(nn.Module):
    """Blocks of a minGRU and an MLP with residual connections: h = (1 - z) h + z g(W x), z = sigmoid(V x)."""

    def __init__(self, vocab_size: int, width: int, blocks: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.gates = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(blocks))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(blocks)
        )
        self.output = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, vocab_size))

    def forward(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits (T, B, V) and the state after ids (T, B)."""
        x, after = self.embedding(ids), []
        for index, (norm, gates, mlp) in enumerate(zip(self.norms, self.gates, self.mlps, strict=True)):
            z, candidate = gates(norm(x)).chunk(2, dim=-1)
            z = torch.sigmoid(z)
            positive = torch.where(candidate >= 0, candidate + 0.5, torch.sigmoid(candidate))  # g of the paper
            h, hidden = torch.zeros_like(z[0]) if state is None else state[index], []
            for keep, new in zip((1 - z).unbind(), (z * positive).unbind(), strict=True):
                h = torch.addcmul(new, keep, h)
                hidden.append(h)
            x = x + torch.stack(hidden)
            x = x + mlp(x)
            after.append(h.detach())
        return self.output(x), tuple(after)


def recurrent(make: Callable[[int, int], nn.Module], task: Task) -> Figures:
    """Train a recurrent peer within the budget: carried state, AdamW, cosine to zero, gradient norm at most 1."""
    train, valid, vocab_size = task.encoded()
    torch.manual_seed(task.seed)
    model = make(vocab_size, task.width)
    length = (len(train) - 1) // BATCH
    ids, targets = (part[: BATCH * length].view(BATCH, length).T for part in (train, train[1:]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    at, state = 0, None

    def step(progress: float) -> None:
        nonlocal at, state
        if at + STEPS > length:
            at, state = 0, None
        logits, state = model(ids[at : at + STEPS], state)
        loss = F.cross_entropy(logits.flatten(0, 1), targets[at : at + STEPS].reshape(-1))
        at += STEPS
        update(optimizer, loss, RATE * (0.5 + 0.5 * math.cos(math.pi * progress)))

    def score(exact: bool) -> float:
        rows = 1 if exact else 32
        steps = (len(valid) - 1) // rows
        read, wanted = (part[: rows * steps].view(rows, steps).T for part in (valid, valid[1:]))
        nats, carried = 0.0, None
        for start in range(0, steps, 2048):
            logits, carried = model(read[start : start + 2048], carried)
            nats += float(
                F.cross_entropy(logits.flatten(0, 1), wanted[start : start + 2048].reshape(-1), reduction="sum")
            )
        return nats / (rows * steps)

    return train_on_the_clock(model, Clock(task), step, score) | {"width": task.width}


def update(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    """A step of an optimiser at a learning rate, with the gradient norm clipped to 1."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for group in optimizer.param_groups:
        torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
        group["lr"] = rate
    optimizer.step()


def train_on_the_clock(model: nn.Module, clock: Clock, step: Callable[[float], None], score: Score) -> Figures:
    """Take steps until the budget is used, and score on the way and at the end."""
    curve: list[tuple[float, float]] = []

    def scored(exact: bool) -> float:
        with clock.paused(), torch.inference_mode():
            model.eval()
            nats = score(exact)
            model.train()
        return nats

    next_score = clock.progress() + 1 / CURVE_POINTS
    while (progress := clock.progress()) < 1:
        if progress >= next_score:
            curve.append((clock.seconds(), scored(exact=False)))
            next_score = progress + 1 / CURVE_POINTS
        step(progress)
    seconds, nats = clock.seconds(), scored(exact=True)
    return {
        "nats_per_character": nats,
        "seconds": seconds,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "curve": [*curve, (seconds, nats)],
    }


def gpt(folder: Path) -> Any:
    """The module model.py of a checkout of nanoGPT."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


def sliding_nats(model: Any, ids: Tensor, block: int, stride: int) -> float:
    """Nats per character of a transformer whose window slides by `stride`: each character after the first window has
    at least block - stride characters before it."""
    ends = [*range(block, len(ids) - 1, stride), len(ids) - 1]
    nats, done = 0.0, 0
    for first in range(0, len(ends), 64):
        some = ends[first : first + 64]
        x, y = (torch.stack([ids[end - block + shift : end + shift] for end in some]) for shift in (0, 1))
        losses = F.cross_entropy(model(x, y)[0].flatten(0, 1), y.flatten(), reduction="none").view_as(y)
        for row, end in zip(losses, some, strict=True):
            nats += float(row[block - (end - done) :].sum())
            done = end
    return nats / done


def transformer(task: Task) -> Figures:
    """nanoGPT's model in the size of its CPU configuration, with that learning rate, for the budget."""
    assert task.nanogpt is not None
    train, valid, vocab_size = task.encoded()
    torch.manual_seed(task.seed)
    block, module = 64, gpt(task.nanogpt)
    shape = {"n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0, "bias": False}
    with nothing_printed():
        model = module.GPT(module.GPTConfig(block_size=block, vocab_size=vocab_size, **shape))
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    generator = torch.Generator().manual_seed(task.seed)

    def step(progress: float) -> None:
        starts = torch.randint(len(train) - block, (12,), generator=generator)
        x, y = (torch.stack([train[start + shift : start + shift + block] for start in starts]) for shift in (0, 1))
        warm = min(1.0, progress / 0.05)
        update(optimizer, model(x, y)[1], warm * (1e-4 + 9e-4 * (0.5 + 0.5 * math.cos(math.pi * progress))))

    return train_on_the_clock(
        model, Clock(task), step, lambda exact: sliding_nats(model, valid, block, 4 if exact else block // 2)
    )


@contextmanager
def nothing_printed() -> Iterator[None]:
    """Send what a program prints to stderr: stdout has the figures."""
    own, sys.stdout = sys.stdout, sys.stderr
    yield
    sys.stdout = own

"""Small runs for the tests that train."""

import json
from pathlib import Path

import torch

from charlm import api
from charlm.api import Hooks, Trained
from charlm.config import TrainConfig
from charlm.storage.checkpoint import load

SMALL = {"hidden_size": 16, "embedding_size": 8, "dropout": 0.3, "num_layers": 2, "ngram_order": 0}


def train(
    text: Path,
    run: str = "runs/a",
    hooks: Hooks | None = None,
    model=None,
    tokenizer=None,
    overwrite: bool = False,
    **settings,
) -> Trained:
    config = TrainConfig(**({"steps": 60, "batch_size": 4, "seq_len": 16, "validations": 5} | settings))
    model = SMALL if model is None else model
    return api.train(text, run=run, training=config, model=model, tokenizer=tokenizer, hooks=hooks, overwrite=overwrite)


def weights(run: str, name: str = "resume.safetensors") -> dict[str, torch.Tensor]:
    return load(Path(run) / name).model.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def stop_after(steps: int) -> Hooks:
    """Hooks that interrupt a run after so many steps."""
    left = iter([False] * (steps - 1) + [True] * 1000)
    return Hooks(should_stop=lambda: next(left))


def records(run: str) -> list[dict]:
    return [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]

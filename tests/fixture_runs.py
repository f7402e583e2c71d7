"""Fixtures that train small networks, and read what a run has left."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from charlm import TextModel, api
from charlm.api import Callbacks, Trained
from charlm.config import TokenizerConfig
from charlm.storage.checkpoint import load

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def small_shape() -> dict[str, Any]:
    """The fields of `ModelConfig` of the small networks that tests train."""
    return {"hidden_size": 16, "embedding_size": 8, "dropout": 0.3, "num_layers": 2, "ngram_order": 0}


@pytest.fixture
def train_run(text: Path, small_shape: dict[str, Any]) -> Callable[..., Trained]:
    """Train a small network on `text` for 60 steps, nothing auto-selected; any field of `TrainConfig` can be set."""

    def train_run(
        run: str = "runs/a",
        *,
        source: Path = text,
        corpus: dict[str, Any] | None = None,
        tokenizer: TokenizerConfig | None = None,
        model: dict[str, Any] | None = None,
        callbacks: Callbacks | None = None,
        overwrite: bool = False,
        started: float | None = None,
        **fields: Any,
    ) -> Trained:
        return api.train_run(
            source,
            run=run,
            corpus=corpus,
            tokenizer=tokenizer,
            model=small_shape if model is None else model,
            training={"steps": 60, "batch_size": 4, "seq_len": 16, "validations": 5} | fields,
            auto=False,
            overwrite=overwrite,
            callbacks=callbacks,
            started=started,
        )

    return train_run


@pytest.fixture(scope="session")
def _trained_once() -> dict[str, Path]:
    """The runs that `keep_run` has made so far."""
    return {}


@pytest.fixture
def keep_run(
    text: Path, tmp_path_factory: pytest.TempPathFactory, _trained_once: dict[str, Path]
) -> Callable[..., Path]:
    """Give a test its own run of `text`: the first with that key in a session is trained, later ones are copies."""

    def keep_run(key: object, run: str, train: Callable[[], object]) -> Path:
        if (kept := _trained_once.get(repr(key))) is None:
            train()
            kept = tmp_path_factory.mktemp("run") / "run"
            shutil.copytree(run, kept)
            _trained_once[repr(key)] = kept
            return Path(run)
        shutil.copytree(kept, run, copy_function=shutil.copyfile)  # not `copy2`: charlm looks for the newest run
        config = Path(run) / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"text": [str(text)]}))
        return Path(run)

    return keep_run


@pytest.fixture
def trained_run(train_run: Callable[..., Trained], keep_run: Callable[..., Path]) -> Callable[..., Path]:
    """As `train_run`, where the run matters and not how it was trained: see `keep_run`."""

    def trained_run(run: str = "runs/a", **fields: Any) -> Path:
        return keep_run(sorted(fields.items()), run, lambda: train_run(run, **fields))

    return trained_run


@pytest.fixture
def labelled_run(train_run: Callable[..., Any], small_shape: dict[str, Any], labelled_reviews: Path) -> TextModel:
    """A model of these reviews with two labels and n-grams of 4 that has hardly seen them."""
    corpus = {"text_column": "text", "label_column": ("stars", "author")}
    train_run("runs/reviews", source=labelled_reviews, corpus=corpus, model=small_shape | {"ngram_order": 4}, steps=4)
    return api.load("runs/reviews")


@pytest.fixture(scope="session")
def weights_of() -> Callable[..., Weights]:
    """The weights in a file of a run folder."""

    def weights_of(run: str, name: str = "resume.safetensors") -> Weights:
        return load(Path(run) / name).model.state_dict()

    return weights_of


@pytest.fixture(scope="session")
def same_weights() -> Callable[[Weights, Weights], bool]:
    """Whether two models have the same weights, bit for bit."""

    def same_weights(one: Weights, other: Weights) -> bool:
        assert one and one.keys() == other.keys()
        return all(torch.equal(value, other[name]) for name, value in one.items())

    return same_weights


@pytest.fixture(scope="session")
def stop_after() -> Callable[[int], Callbacks]:
    """Callbacks that interrupt a run after some steps."""

    def stop_after(steps: int) -> Callbacks:
        left = iter([False] * (steps - 1) + [True] * 1000)
        return Callbacks(should_stop=lambda: next(left))

    return stop_after


@pytest.fixture(scope="session")
def records_of() -> Callable[..., list[dict[str, Any]]]:
    """The records of a run, or those of one kind."""

    def records_of(run: str | Path, kind: str | None = None) -> list[dict[str, Any]]:
        records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
        return [record for record in records if kind in (None, record["kind"])]

    return records_of

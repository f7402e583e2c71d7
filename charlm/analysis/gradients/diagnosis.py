"""Compare cells on one text: their gradients through time, before and after some training."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charlm.analysis.gradients.gradient_flow import GradientFlow, measure
from charlm.cells import CELLS, find_cell
from charlm.config import (
    CorpusOptions,
    ModelConfig,
    RecurrentInit,
    TokenizerConfig,
    TrainConfig,
    check_range,
    default_embedding,
)
from charlm.data.corpus import corpus_config, read_corpus
from charlm.data.dataset import Dataset, make_dataset, unsplit
from charlm.data.sources import TextLike, find_sources
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.progress import Progress, silent
from charlm.training.state import begin
from charlm.training.steps import training_steps

_POSITIONS = 16
_ROWS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class CellDiagnosis:
    """The gradients of one cell."""

    cell: str
    """Full name."""
    start: GradientFlow
    """With the initial weights."""
    trained: GradientFlow | None
    """After training; None if there were no training steps."""

    def flows(self) -> dict[str, GradientFlow]:
        """The measurements by moment: "start" and, if the model was trained, "trained"."""
        return {"start": self.start} | ({"trained": self.trained} if self.trained is not None else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """The gradients of several cells, measured on the same text."""

    text: str
    lags: int
    """K; every curve has K + 1 values."""
    steps: int
    hidden_size: int
    recurrent_init: RecurrentInit
    """auto: each cell's default."""
    forget_bias: float
    update_bias: float
    seed: int
    positions: int
    """Positions t per row over which the measurements are averaged."""
    rows: int
    cells: tuple[CellDiagnosis, ...]

    def to_json(self) -> dict[str, Any]:
        """All settings and measurements as JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "cells"}
        return values | {
            "cells": [
                {"cell": one.cell} | {when: flow.to_json() for when, flow in one.flows().items()} for one in self.cells
            ]
        }


def diagnose(
    text: TextLike,
    *,
    cells: Sequence[str] = ("rnn", "lstm", "gru"),
    lags: int = 200,
    steps: int = 300,
    hidden_size: int = 64,
    recurrent_init: RecurrentInit = "auto",
    forget_bias: float = 1.0,
    update_bias: float = 0.0,
    seed: int = 1,
    corpus: CorpusOptions | None = None,
    progress: Progress = silent,
) -> Diagnosis:
    """Measure the gradients of one-layer character models before and after training on the text.

    Args:
        text: files, folders, "-" or registered names; all of it is used for training and measuring.
        cells: names from `charlm.cells.CELLS`.
        lags: K, the largest number of steps to follow a gradient back.
        steps: training steps between the two measurements, with the defaults of `TrainConfig`; 0 for none.
        hidden_size: H, the width of the hidden state.
        recurrent_init: initial recurrent weights; auto uses each cell's default.
        forget_bias: initial bias of an LSTM's forget gate.
        update_bias: initial bias of the gate that keeps the state in the GRU and related cells.
        seed: the random seed of the initial weights, the order of the text, and dropout.
        corpus: fields of `CorpusConfig`; the others come from the registry or are the defaults.
        progress: receives how far reading, training and measuring are.

    Raises:
        CharlmError: a setting is out of range, the text can't be read or is too short, or training diverges.
    """
    names = known_cells(cells)
    check_range("--lags", lags, 1, 100_000)
    check_range("--steps", steps, 0, 10**9)
    shape: dict[str, Any] = {
        "hidden_size": hidden_size,
        "recurrent_init": recurrent_init,
        "forget_bias": forget_bias,
        "update_bias": update_bias,
    }
    ModelConfig(vocab_size=2, **shape)
    config = TrainConfig(steps=max(1, steps), seed=seed, device="cpu", precision="float32")
    sources = find_sources(text, progress=progress, encoding=(corpus or {}).get("encoding", "utf-8"))
    dataset = make_dataset(
        read_corpus(sources, unsplit(corpus_config(sources, corpus or {})), progress=progress),
        TokenizerConfig(),
        progress=progress,
    )
    ids = stretches(dataset, lags=lags, positions=_POSITIONS, rows=_ROWS)
    results = [
        _diagnose(name, shape, dataset, ids, config, lags=lags, steps=steps, progress=progress) for name in names
    ]
    return Diagnosis(
        text=dataset.corpus.name,
        lags=lags,
        steps=steps,
        **shape,
        seed=seed,
        positions=len(ids) - 1 - lags,
        rows=ids.shape[1],
        cells=tuple(results),
    )


def _diagnose(
    cell: str,
    shape: Mapping[str, Any],
    dataset: Dataset,
    ids: Tensor,
    config: TrainConfig,
    *,
    lags: int,
    steps: int,
    progress: Progress,
) -> CellDiagnosis:
    """Measure a new model of one cell; if `steps` is above 0, train it and measure it again."""
    vocab = dataset.tokenizer.vocab_size
    vectors = default_embedding(vocab, shape["hidden_size"], tie_weights=False)
    model = LanguageModel(ModelConfig(vocab_size=vocab, cell=cell, **vectors, **shape))
    model.initialise(torch.Generator().manual_seed(config.seed), zero_tokens=dataset.tokenizer.never_written)
    start = measure(model, ids, lags=lags, progress=progress)
    if steps == 0:
        return CellDiagnosis(cell=cell, start=start, trained=None)
    state = begin(model, config, torch.device("cpu"), time.monotonic())
    for event in training_steps(state, dataset.train, config):
        progress(f"training {cell}", event.step, steps)
    return CellDiagnosis(cell=cell, start=start, trained=measure(model, ids, lags=lags, progress=progress))


def known_cells(names: Sequence[str]) -> list[str]:
    """Full cell names in order, without duplicates; raises `ConfigError` for an unknown name or an empty list."""
    full = []
    for name in names:
        try:
            full.append(find_cell(name).name)
        except ConfigError:
            raise ConfigError(f"--cells has {name!r}; choose from {', '.join(CELLS)}") from None
    if not full:
        raise ConfigError("--cells names no cell; give at least one, such as rnn,lstm,gru")
    return list(dict.fromkeys(full))


def stretches(dataset: Dataset, *, lags: int, positions: int, rows: int) -> Tensor:
    """Take stretches of equal length from the training split, evenly spaced, each within one document.

    Args:
        dataset: the text.
        lags: K, the largest number of steps to follow a gradient back.
        positions: P, the most positions of a stretch; fewer if no document is long enough.
        rows: B, the most stretches; fewer if the text has fewer.

    Returns:
        ids, (K + P + 1, B) int64.

    Raises:
        ConfigError: no document has K + 1 tokens to predict.
    """
    split = dataset.train
    lengths = np.diff(split.starts) - 1  # tokens to predict, EOS among them
    longest = int(lengths.max())
    if longest < lags + 1:
        raise ConfigError(
            f"--lags is {lags}; the longest document of {dataset.corpus.name} has "
            f"{count_of(longest, 'token')} to predict; "
            + (f"--lags can be at most {longest - 1}" if longest > 1 else "give a longer text")
        )
    size = min(lags + positions, longest)
    counts = lengths // size
    ends = np.cumsum(counts)
    chosen = np.unique(np.linspace(0, ends[-1] - 1, min(rows, int(ends[-1]))).round().astype(np.int64))
    documents = np.searchsorted(ends, chosen, side="right")
    offsets = (chosen - (ends - counts)[documents]) * size
    starts = (split.starts[documents] + offsets).tolist()
    return torch.from_numpy(np.stack([split.read(start, start + size + 1).astype(np.int64) for start in starts], 1))

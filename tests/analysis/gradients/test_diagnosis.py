"""Cells side by side: which stretches are measured, and that training is the trainer's."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm.analysis.gradients.diagnosis import diagnose, known_cells, stretches
from charlm.analysis.gradients.gradient_flow import measure
from charlm.config import CorpusConfig, ModelConfig, TokenizerConfig, TrainConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import Dataset, make_dataset
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.training.state import begin
from charlm.training.steps import training_steps

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"lags": 9, "steps": 5, "hidden_size": 6}


def test_stretches_lie_in_one_document_each(dataset_of) -> None:
    dataset = dataset_of("abcdefgh\nij\nklmnopqrstuvwxyz\n", documents="line", splits=(100, 0, 0))
    found = [dataset.tokenizer.decode(row) for row in stretches(dataset, lags=5, positions=2, rows=9).T.tolist()]
    assert found == ["abcdefg", "klmnopq", "qrstuvwx"]  # 8 tokens each, BOS among the first two's


def test_stretches_are_spread_over_the_text(dataset_of) -> None:
    dataset = dataset_of(" ".join(map(str, range(1000))), splits=(100, 0, 0))
    ids = stretches(dataset, lags=20, positions=4, rows=3)
    assert ids.shape == (25, 3)
    whole, length = dataset.train.ids, dataset.train.facts.tokens
    starts = [next(at for at in range(length) if np.array_equal(whole[at : at + 25], row)) for row in ids.T.numpy()]
    assert starts[0] == 0 and 0.4 < starts[1] / length < 0.6 and starts[2] > length - 48


def test_lags_that_no_document_has_are_refused(dataset_of) -> None:
    dataset: Dataset = dataset_of("abcd\nabcdef\n", documents="line", splits=(100, 0, 0))
    assert stretches(dataset, lags=6, positions=4, rows=2).shape == (8, 1)
    with pytest.raises(ConfigError, match=r"--lags is 7; the longest document of text has 7 tokens.* at most 6"):
        stretches(dataset, lags=7, positions=4, rows=2)


def test_the_trained_model_is_that_of_the_trainer(text: Path) -> None:
    result = diagnose(text, cells=["gru"], seed=4, recurrent_init="identity", **SMALL)
    dataset = make_dataset(open_corpus(text, CorpusConfig(splits=(100, 0, 0))), TokenizerConfig())
    model = LanguageModel(
        ModelConfig(vocab_size=dataset.tokenizer.vocab_size, cell="gru", hidden_size=6, recurrent_init="identity")
    )
    model.initialise(torch.Generator().manual_seed(4), zero_tokens=dataset.tokenizer.never_written)
    ids = stretches(dataset, lags=9, positions=16, rows=16)
    (one,) = result.cells
    assert one.start == measure(model, ids, lags=9)
    assert one.start.spectral_radii == pytest.approx({"r": 1.0, "u": 1.0, "g": 1.0})
    config = TrainConfig(steps=5, seed=4, precision="float32")
    for _ in training_steps(begin(model, config, torch.device("cpu"), time.monotonic()), dataset.train, config):
        pass
    assert one.trained == measure(model, ids, lags=9)
    assert one.trained.loss < one.start.loss


def test_a_high_forget_bias_carries_the_gradient(text: Path) -> None:
    settings = {"cells": ["lstm"], "hidden_size": 8, "lags": 40, "steps": 0}
    low, high = (diagnose(text, forget_bias=bias, **settings).to_json() for bias in (0.0, 6.0))
    left = [
        values["cells"][0]["start"]["gradients"]["c"][40] / values["cells"][0]["start"]["gradients"]["c"][0]
        for values in (low, high)
    ]
    assert left[0] < 1e-6 and left[1] > 0.3


def test_no_steps_is_the_start_only(text: Path) -> None:
    result = diagnose(text, cells=["rnn", "lstm"], **(SMALL | {"steps": 0}))
    assert [one.trained for one in result.cells] == [None, None]
    assert "trained" not in result.to_json()["cells"][0]


def test_progress_is_told(text: Path) -> None:
    told: dict[str, tuple[int, int | None]] = {}
    diagnose(text, cells=["rnn"], **SMALL, progress=lambda what, done, total: told.update({what: (done, total)}))
    assert told["training rnn"] == (5, 5)
    assert told["gradients of rnn"] == (16, 16)
    assert told["Jacobians of rnn"] == (50, 50)


def test_cells_by_name() -> None:
    assert known_cells(["lstm", "gru", "lstm"]) == ["lstm", "gru"]
    with pytest.raises(ConfigError, match="--cells has 'lsmt'; choose from rnn, "):
        known_cells(["rnn", "lsmt"])
    with pytest.raises(ConfigError, match="--cells names no cell"):
        known_cells([])

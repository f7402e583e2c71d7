from pathlib import Path

import pytest
import torch
from conftest import TEXT
from small_runs import records, train
from test_prior import model_for as model_with_prior

from charlm import api, validation
from charlm.config import ModelConfig
from charlm.data.windows import document_windows
from charlm.evaluation.calibration import best_temperature, divide_logits
from charlm.evaluation.score import evaluate
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import load


def windows_of(dataset):
    return [*document_windows(dataset.valid, batch_size=4, seq_len=50)]


@pytest.mark.parametrize("order", [2, 4])
def test_the_temperature_is_that_of_the_least_loss(dataset_of, order: int) -> None:
    dataset = dataset_of(TEXT)
    model = model_with_prior(dataset, order).eval()
    with torch.no_grad():
        model.output.div_(10)
    temperature = best_temperature(model, windows_of(dataset))
    divide_logits(model, temperature)
    best = evaluate(model, dataset.tokenizer, dataset.valid).nats
    for other in (0.97, 1.03):
        divide_logits(model, other)
        assert evaluate(model, dataset.tokenizer, dataset.valid).nats > best
        divide_logits(model, 1 / other)
    assert best_temperature(model, windows_of(dataset)) == pytest.approx(1, abs=0.01)


def test_a_model_that_is_too_sure_is_cooled(dataset_of) -> None:
    dataset = dataset_of(TEXT)
    model = model_with_prior(dataset).eval()
    with torch.no_grad():
        model.output.zero_()
    before = best_temperature(model, windows_of(dataset))
    assert 0.85 < before < 1.2
    divide_logits(model, 1 / 1.3)
    assert best_temperature(model, windows_of(dataset)) == pytest.approx(1.3 * before, abs=0.02)


def test_the_model_that_is_kept_is_calibrated_and_says_so(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_CALIBRATION_TOKENS", 100)
    result = train(write(TEXT), steps=150)
    kept = load(Path("runs/a/model.safetensors"))
    raw = min(r["nats_per_token"] for r in validations())
    assert result.outcome.best < raw
    assert kept.training["validation_nats_per_token"] == result.outcome.best
    found = api.load("runs/a").evaluate_own("valid").nats_per_token
    assert found == pytest.approx(result.outcome.best, rel=0.02)


def validations() -> list[dict]:
    return [record for record in records("runs/a") if record["kind"] == "validation"]


def test_short_splits_are_left_alone(write) -> None:
    best = train(write(TEXT), "runs/short").outcome.best
    assert load(Path("runs/short/model.safetensors")).training["validation_nats_per_token"] == best


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "mlstm", "mut1"])
def test_dividing_makes_the_distribution_flatter(cell: str, tied: bool) -> None:
    config = ModelConfig(vocab_size=20, cell=cell, num_layers=2, hidden_size=12, embedding_size=12, tie_weights=tied)
    model = LanguageModel(config).eval()
    model.initialise(torch.Generator().manual_seed(1))
    ids = torch.tensor([[3], [4], [9]])
    before, _ = model(ids)
    divide_logits(model, 2.0)
    after, _ = model(ids)
    torch.testing.assert_close(after, before / 2)
    assert before.std().item() > 0.01

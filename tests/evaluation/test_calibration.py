from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.data.windows import document_windows
from charlm.evaluation.calibration import best_temperature, divide_logits
from charlm.evaluation.score import evaluate
from charlm.storage.checkpoint import load


def windows_of(dataset):
    return [*document_windows(dataset.valid, batch_size=4, seq_len=50)]


@pytest.mark.parametrize("order", [2, 4])
def test_the_temperature_is_that_of_the_least_loss(dataset, network_with_prior, order: int) -> None:
    model = network_with_prior(dataset, order).eval()
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


def test_a_model_that_is_too_sure_is_cooled(dataset, network_with_prior) -> None:
    model = network_with_prior(dataset).eval()
    with torch.no_grad():
        model.output.zero_()
    before = best_temperature(model, windows_of(dataset))
    assert 0.85 < before < 1.2
    divide_logits(model, 1 / 1.3)
    assert best_temperature(model, windows_of(dataset)) == pytest.approx(1.3 * before, abs=0.02)


def test_the_model_that_is_kept_is_calibrated_and_its_file_says_so(
    train_run, records_of, write, sentences: str
) -> None:
    result = train_run(steps=150, source=write(4 * sentences, "long.txt"), corpus={"splits": (80, 10, 10)})
    kept = load(Path("runs/a/model.safetensors"))
    raw = min(record["nats_per_token"] for record in records_of("runs/a", "validation"))
    assert result.outcome.best < raw
    assert kept.training.validation_nats_per_token == result.outcome.best
    found = api.load("runs/a").evaluate(split="valid").nats_per_token
    assert found == pytest.approx(result.outcome.best, rel=0.02)


def test_short_splits_are_left_alone(train_run, records_of) -> None:
    best = train_run().outcome.best
    assert best == min(record["nats_per_token"] for record in records_of("runs/a", "validation"))
    assert load(Path("runs/a/model.safetensors")).training.validation_nats_per_token == best


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "mlstm", "mut1"])
def test_logits_are_divided(network, cell: str, tied: bool) -> None:
    sizes = {"vocab_size": 20, "num_layers": 2, "hidden_size": 12, "embedding_size": 12}
    model = network(cell=cell, tie_weights=tied, **sizes).eval()
    ids = torch.tensor([[3], [4], [9]])
    before, _ = model(ids)
    divide_logits(model, 2.0)
    after, _ = model(ids)
    torch.testing.assert_close(after, before / 2)
    assert before.std().item() > 0.01

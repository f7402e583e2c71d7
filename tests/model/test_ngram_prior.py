import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TEXT
from small_runs import SMALL, same, stop_after, train, weights

from charlm import api, prior
from charlm.config import ModelConfig
from charlm.data.dataset import Dataset
from charlm.errors import RunError
from charlm.evaluation.score import evaluate
from charlm.model.language_model import LanguageModel
from charlm.model.ngram_prior import default_order, fit_prior
from charlm.ngram.counts import fold_of
from charlm.ngram.mixture import NgramQuery
from charlm.storage.checkpoint import load

PRIOR = SMALL | {"ngram_order": 4}


def model_for(dataset: Dataset, order: int = 4) -> LanguageModel:
    config = ModelConfig(vocab_size=dataset.tokenizer.vocab_size, hidden_size=8, ngram_order=order)
    model = LanguageModel(config)
    model.initialise(torch.Generator().manual_seed(1))
    model.prior.ngram, model.prior.cross_fit = fit_prior(dataset.train, dataset.tokenizer, order)
    return model


@pytest.mark.parametrize("documents", ["file", "line"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_network_that_says_nothing_is_the_ngram_model(dataset_of, documents: str, order: int) -> None:
    dataset = dataset_of(TEXT, documents=documents)
    model = model_for(dataset, order)
    with torch.no_grad():
        model.output.zero_()
    found = evaluate(model, dataset.tokenizer, dataset.valid)
    assert found.nats == pytest.approx(model.prior.ngram.total_nats(dataset.valid.ids), rel=1e-5)


def test_in_training_every_place_is_told_by_the_model_that_has_not_seen_it(dataset_of) -> None:
    dataset = dataset_of(TEXT)
    model = model_for(dataset).eval()
    with torch.no_grad():
        model.output.zero_()
    ids = dataset.train.ids
    starts = np.array([0, 700, len(ids) - 301])
    text = torch.from_numpy(np.stack([ids[start : start + 301] for start in starts.tolist()], axis=1).astype(np.int64))
    logits, _ = model(text[:-1], starts=starts)
    log_p = torch.log_softmax(logits, dim=-1)
    cross_fit = model.prior.cross_fit
    folds = fold_of(starts + 1 + np.arange(300)[:, None], len(ids), len(cross_fit.models))
    assert set(folds.ravel().tolist()) == {0, 2, 3, 9}
    for row in range(3):
        for t in range(10, 300, 7):  # what stands before the row is unknown to the state, so not from its beginning on
            history = text[: t + 1, row].tolist()
            expected = cross_fit.models[folds[t, row]].distribution(history)
            assert log_p[t, row].exp().tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-9)


def test_outside_of_what_was_counted_the_whole_model_is_asked(dataset_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prior, "_MAX_TOKENS", 1000)
    dataset = dataset_of(TEXT)
    _, cross_fit = fit_prior(dataset.train, dataset.tokenizer, 3)
    size = len(dataset.train.ids)
    folds = cross_fit.fold_of(np.arange(size))
    assert (folds[: size - 1000] == -1).all()
    assert np.bincount(folds[size - 1000 :]).tolist() == [100] * 10


def test_training_with_a_prior_is_resumed_bit_for_bit(write) -> None:
    text = write(TEXT)
    train(text, "runs/whole", model=PRIOR)
    train(text, "runs/broken", model=PRIOR, hooks=stop_after(17))
    api.resume("runs/broken")
    assert same(weights("runs/broken"), weights("runs/whole"))
    assert Path("runs/broken/samples.txt").read_text() == Path("runs/whole/samples.txt").read_text()


def test_a_run_that_counted_otherwise_is_not_resumed(write, monkeypatch: pytest.MonkeyPatch) -> None:
    train(write(TEXT), model=PRIOR, hooks=stop_after(17))
    monkeypatch.setattr("charlm.ngram.model.FREQUENT_LENGTHS", (2, 2))
    with pytest.raises(RunError, match="counts n-grams otherwise"):
        api.resume("runs/a")


@pytest.mark.parametrize("order", [1, 2])
def test_short_ngrams_are_saved_too(write, order: int) -> None:
    train(write(TEXT), model=PRIOR | {"ngram_order": order}, steps=5)
    assert load(Path("runs/a/model.safetensors")).model.prior.ngram.order == order


def test_the_model_file_holds_it(write) -> None:
    result = train(write(TEXT), model=PRIOR, steps=20)
    alone = train(write(TEXT), "runs/alone", model=SMALL, steps=20)
    assert result.outcome.best < 0.5 * alone.outcome.best
    loaded = api.load("runs/a")
    again = load(Path("runs/a/resume.safetensors")).model.prior
    arrays = loaded.checkpoint.model.prior.ngram.to_arrays()
    assert all(np.array_equal(array, again.ngram.to_arrays()[name]) for name, array in arrays.items())
    assert loaded.evaluate_own("valid").nats_per_token == pytest.approx(result.outcome.best, rel=0.1)
    assert len(api.sample("runs/a", "cat", seed=1, length=40)) == 43


def test_a_gradient_reaches_the_gate(dataset_of) -> None:
    dataset = dataset_of(TEXT)
    model = model_for(dataset).double().eval()
    ids = torch.from_numpy(dataset.train.ids[:60].astype(np.int64))[:, None]
    starts = np.array([0])

    def loss() -> torch.Tensor:
        logits, _ = model(ids[:-1], starts=starts)
        return torch.nn.functional.cross_entropy(logits[:, 0], ids[1:, 0])

    loss().backward()
    for parameter in (model.prior.weight, model.prior.bias):
        index = divmod(int(parameter.grad.abs().argmax()), parameter.shape[1])
        slope = parameter.grad[index].item()
        assert abs(slope) > 1e-4
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                parameter[index] += step
                values.append(loss().item())
                parameter[index] -= step
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope, rel=1e-4)


def test_bos_is_never_written(dataset_of) -> None:
    dataset = dataset_of(TEXT)
    model = model_for(dataset).eval()
    logits, _ = model(torch.from_numpy(dataset.train.ids[:50].astype(np.int64))[:, None])
    assert torch.isfinite(logits).all()
    assert torch.log_softmax(logits, dim=-1)[:, 0, dataset.tokenizer.bos].max() < math.log(1e-9)


def test_the_order_is_shorter_where_the_vocabulary_is_large() -> None:
    assert (default_order(512), default_order(513)) == (12, 5)


@pytest.mark.parametrize("native", [True, False])
def test_the_gradient_of_the_gates_is_that_of_their_logarithms(dataset_of, monkeypatch, native: bool) -> None:
    if not native:
        monkeypatch.setattr("charlm.ngram.mixture.compiled_lookup", lambda: None)
    dataset = dataset_of(TEXT)
    model = model_for(dataset).eval()
    ids = torch.from_numpy(dataset.train.ids[:41].astype(np.int64))[:, None]
    hidden = torch.randn(40, 1, 8, generator=torch.Generator().manual_seed(1))
    upstream = torch.randn(40, 1, dataset.tokenizer.vocab_size, generator=torch.Generator().manual_seed(2))
    more = model.prior(model.prior.advance(ids[:-1], model.prior.initial_state(1)), hidden)
    (more * upstream).sum().backward()
    ngram = model.prior.ngram
    states = ngram.advance(ngram.no_context(1), ids[:-1].numpy())[:, 0]
    log_p = NgramQuery(states, [ngram], np.zeros(40, dtype=np.int64)).log_probabilities(model.prior.orders)
    by_gate = np.einsum("njv,nv->nj", log_p, upstream[:, 0].numpy())
    expected = np.einsum("nj,nh->jh", by_gate, hidden[:, 0].numpy())
    assert model.prior.weight.grad.numpy() == pytest.approx(expected, rel=1e-4, abs=1e-3)

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm import api
from charlm.config import RunConfig
from charlm.errors import RunError
from charlm.evaluation.score import evaluate
from charlm.model.additions.lookups import Lookups
from charlm.model.additions.ngram_prior import MEMORY, default_memory, default_order, fit_prior
from charlm.ngram.arrays import to_arrays
from charlm.ngram.counts import fold_of
from charlm.ngram.mixture import NgramQuery
from charlm.ngram.score import total_nats
from charlm.sampling import SampleConfig
from charlm.storage.checkpoint import load


@pytest.fixture
def with_prior(small_shape) -> dict:
    """The small shape, on n-grams of 4."""
    return small_shape | {"ngram_order": 4}


@pytest.mark.parametrize("documents", ["file", "line"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_network_whose_output_is_zero_is_the_ngram_model(
    dataset_of, sentences: str, network_with_prior, documents: str, order: int
) -> None:
    dataset = dataset_of(sentences, documents=documents)
    model = network_with_prior(dataset, order)
    with torch.no_grad():
        model.output.zero_()
    found = evaluate(model, dataset.tokenizer, dataset.valid)
    assert found.nats == pytest.approx(total_nats(model.prior.ngram, dataset.valid.ids), rel=1e-5)


def test_in_training_every_place_is_predicted_by_the_model_that_has_not_seen_it(dataset, network_with_prior) -> None:
    model = network_with_prior(dataset).eval()
    with torch.no_grad():
        model.output.zero_()
    ids = dataset.train.ids
    starts = np.array([0, 700, len(ids) - 301])
    text = torch.from_numpy(np.stack([ids[start : start + 301] for start in starts.tolist()], axis=1).astype(np.int64))
    logits, _ = model(text[:-1], lookups=Lookups(starts=starts))
    log_p = torch.log_softmax(logits, dim=-1)
    cross_fit = model.prior.cross_fit
    folds = fold_of(starts + 1 + np.arange(300)[:, None], len(ids), len(cross_fit.models))
    assert set(folds.ravel().tolist()) == {0, 2, 3, 9}
    for row in range(3):
        for t in range(10, 300, 7):  # the state does not know what stands before the row, so its beginning is left out
            history = text[: t + 1, row].tolist()
            expected = cross_fit.models[folds[t, row]].distribution(history)
            assert log_p[t, row].exp().tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-9)


def test_outside_of_what_was_counted_the_whole_model_is_asked(dataset) -> None:
    _, cross_fit = fit_prior(dataset.train, dataset.tokenizer, 3, memory=MEMORY // 10_000)
    size = len(dataset.train.ids)
    folds = cross_fit.fold_of(np.arange(size))
    assert (folds[: size - 1000] == -1).all()
    assert np.bincount(folds[size - 1000 :]).tolist() == [100] * 10


def test_a_run_that_counted_n_grams_otherwise_is_not_resumed(
    train_run, with_prior: dict, stop_after, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_run(model=with_prior, callbacks=stop_after(17))
    monkeypatch.setattr("charlm.ngram.model.FREQUENT_LENGTHS", (2, 2))
    with pytest.raises(RunError, match="counts n-grams differently"):
        api.resume_run("runs/a")


@pytest.mark.parametrize("order", [1, 2])
def test_short_ngrams_are_saved_too(train_run, with_prior: dict, order: int) -> None:
    train_run(model=with_prior | {"ngram_order": order}, steps=5)
    assert load(Path("runs/a/model.safetensors")).model.prior.ngram.order == order


def test_the_model_file_contains_it(train_run, with_prior: dict) -> None:
    result = train_run(model=with_prior, steps=20)
    alone = train_run("runs/alone", steps=20)
    assert result.outcome.best < 0.5 * alone.outcome.best
    loaded = api.load("runs/a")
    again = load(Path("runs/a/resume.safetensors")).model.prior
    arrays = to_arrays(loaded.checkpoint.model.prior.ngram)
    assert all(np.array_equal(array, to_arrays(again.ngram)[name]) for name, array in arrays.items())
    assert loaded.evaluate(split="valid").nats_per_token == pytest.approx(result.outcome.best, rel=0.1)
    assert len(api.load("runs/a").sample("cat", SampleConfig(length=40), seed=1)) == 43


def test_a_gradient_reaches_the_gate(dataset, network_with_prior) -> None:
    model = network_with_prior(dataset).double().eval()
    ids = torch.from_numpy(dataset.train.ids[:60].astype(np.int64))[:, None]
    starts = np.array([0])

    def loss() -> torch.Tensor:
        logits, _ = model(ids[:-1], lookups=Lookups(starts=starts))
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


def test_bos_is_never_written(dataset, network_with_prior) -> None:
    model = network_with_prior(dataset).eval()
    logits, _ = model(torch.from_numpy(dataset.train.ids[:50].astype(np.int64))[:, None])
    assert torch.isfinite(logits).all()
    assert torch.log_softmax(logits, dim=-1)[:, 0, dataset.tokenizer.bos].max() < math.log(1e-9)


def test_the_order_is_shorter_where_the_vocabulary_is_large() -> None:
    assert (default_order(512), default_order(513)) == (12, 5)


@pytest.mark.parametrize("native", [True, False])
def test_the_gradient_of_the_gates_is_that_of_their_logarithms(
    dataset, network_with_prior, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    if not native:
        monkeypatch.setattr("charlm.ngram.mixture.compiled_lookup", lambda: None)
    model = network_with_prior(dataset).eval()
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


def test_the_prior_counts_as_much_as_its_memory_allows_and_says_so(dataset, caplog: pytest.LogCaptureFixture) -> None:
    """2 GB are enough for 10 million tokens and 5 million n-grams, and less memory for proportionally fewer."""
    size = len(dataset.train)
    whole, cross_fit = fit_prior(dataset.train, dataset.tokenizer, 6, memory=2 * MEMORY)
    assert cross_fit.size == size and not caplog.messages
    part, cross_fit = fit_prior(dataset.train, dataset.tokenizer, 6, memory=200_000)
    assert cross_fit.size == 1000 and cross_fit.first == size - 1000 and part.num_ngrams <= 500 < whole.num_ngrams
    assert caplog.messages[0].startswith(f"the n-gram prior counts the last 1,000 of {size:,} training tokens and ")
    fit_prior(dataset.train, dataset.tokenizer, 6, memory=MEMORY // 4)
    assert caplog.messages[1].startswith(f"the n-gram prior counts the last {size:,} of {size:,} training tokens and ")
    assert caplog.messages[1].endswith(" n-grams (--prior-memory 500MB)")


def test_a_machine_with_little_memory_has_a_smaller_default() -> None:
    assert default_memory(None) is None and default_memory(64 * 10**9) is None
    assert default_memory(2 * 10**9) == 500_000_000 and default_memory(1000) == 10_000_000


def test_a_run_keeps_the_memory_of_its_prior(charlm, text, records_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charlm.api.new_run.machine_memory", lambda: 2 * 10**9)
    shape = "--steps 2 --hidden 4 --embedding 4 --batch-size 2 --seq-len 8 --threads 1 --ngram-order 3"
    charlm("train", text, "--run", "runs/a", *shape.split())
    charlm("train", text, "--run", "runs/b", "--prior-memory", "0.5 GB", *shape.split())
    for run in ("a", "b"):
        config = RunConfig.from_json(json.loads(Path(f"runs/{run}/config.json").read_text()))
        assert config.training.prior_memory == 500_000_000
    monkeypatch.setattr("charlm.api.new_run.machine_memory", lambda: 64 * 10**9)
    charlm("train", "--resume", "--run", "runs/a", "--steps", "4")


@pytest.mark.parametrize("size", ["5MB", "much", "-1GB", "500", "1e9", "2TB"])
def test_a_size_that_is_none_is_an_error(charlm, text, size: str) -> None:
    failed = charlm("train", text, "--prior-memory", size, status=1)
    assert failed.stderr == f"error: --prior-memory is {size!r}; give a size from 10MB up, such as 500MB or 2GB\n"

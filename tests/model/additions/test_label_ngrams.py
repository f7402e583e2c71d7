"""The n-gram models of label values: what they count, what they add to the logits, and that a file keeps them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm import api, load
from charlm.config import LabelColumn
from charlm.errors import ModelFileError
from charlm.model.additions.label_ngrams import LabelNgrams, fit_label_ngrams
from charlm.model.additions.ngram_prior import MEMORY
from charlm.model.language_model import LanguageModel
from charlm.ngram.arrays import to_arrays
from charlm.ngram.model import NgramModel
from charlm.ngram.score import total_nats
from charlm.sampling.steppers import CompiledStepper, ModelStepper, make_stepper
from charlm.storage.checkpoint import save

COLUMNS = {"text_column": "text", "label_column": ("stars", "author")}


@pytest.fixture
def weighted(labelled_run) -> LanguageModel:
    """A model that adds the n-grams of its labels with the weight 0.4."""
    return labelled_run.model.with_label_ngrams(0.4)


def same_ngrams(one: LabelNgrams, other: LabelNgrams) -> bool:
    arrays = ([to_arrays(ngram) for ngram in ngrams.models] for ngrams in (one, other))
    return len(one.models) == len(other.models) and all(
        np.array_equal(left[name], right[name]) for left, right in zip(*arrays, strict=True) for name in left
    )


def documents_of(split, code: int) -> np.ndarray:
    has = np.flatnonzero((split.labels == code).any(axis=1)).tolist()
    return np.concatenate([split.read(split.starts[index], split.starts[index + 1]) for index in has])


def test_each_value_has_the_ngrams_of_its_documents(labelled_run) -> None:
    train, tokenizer = labelled_run.read().train, labelled_run.tokenizer
    values = labelled_run.model.config.label_values
    expected = []
    for code in range(1, len(values) + 1):
        fitted = NgramModel.fit(
            documents_of(train, code), order=6, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos, max_ngrams=10**6
        )
        expected.append(replace(fitted, frequent=fitted.frequent[:0]))
    assert len({len(ngram.trie.keys) for ngram in expected}) > 1
    assert same_ngrams(labelled_run.model.label_ngrams, LabelNgrams(models=tuple(expected)))


def test_a_large_text_is_counted_in_stretches_that_have_all_values(labelled_run) -> None:
    """10,000,000 tokens are counted in 2 GB."""
    train, tokenizer = labelled_run.read().train, labelled_run.tokenizer
    number = len(labelled_run.model.config.label_values)
    counted = fit_label_ngrams(train, tokenizer, number, memory=len(train) // 2 * MEMORY // 10_000_000)
    for code, (ngram, of_all) in enumerate(zip(counted.models, labelled_run.model.label_ngrams.models, strict=True), 1):
        own = documents_of(train, code)
        assert total_nats(of_all, own) < total_nats(ngram, own) < 0.9 * len(own) * math.log(tokenizer.vocab_size)


@torch.no_grad()
def test_the_logits_get_the_log_ratio_of_each_value_times_its_factor(labelled_run, weighted) -> None:
    texts = ["A fine film, and warm.", "A dull film, and weak."]
    bos, ngram = labelled_run.tokenizer.bos, weighted.prior.ngram
    ids = torch.tensor([[bos, *labelled_run.tokenizer.encode(text).tolist()] for text in texts]).T  # (T, B)
    for factors in ([1.0, 0, 0, 0, 0], [0.5, 0, 0, 2, -1], [0.0] * 5):
        model, plain = (one.with_labels(torch.tensor(factors)) for one in (weighted, labelled_run.model))
        difference = (model(ids)[0] - plain(ids)[0]).numpy()
        for row, end in ((0, 1), (1, 4), (0, len(ids))):
            history = ids[:end, row].tolist()
            log_p = np.log(np.maximum(ngram.distribution(history), 1e-12))
            of_values = [np.log(np.maximum(one.distribution(history), 1e-12)) for one in model.label_ngrams.models]
            expected = 0.4 * sum(f * (own - log_p) for f, own in zip(factors, of_values, strict=True))
            np.testing.assert_allclose(difference[end - 1, row], expected, atol=2e-4)


@torch.no_grad()
def test_a_text_may_be_read_in_windows_and_unknown_tokens_precede_the_first(labelled_run, weighted) -> None:
    ids = torch.from_numpy(labelled_run.tokenizer.encode("warm, and good. So dull!").astype(np.int64))[:, None]
    states = weighted.initial_state(1, np.array([[1, 5]], np.uint16))
    whole, after = weighted(ids, states)
    parts = []
    for part in ids.split(3):
        logits, states = weighted(part, states)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=0)
    assert torch.equal(weighted.split_states(states)[1].labels[1], weighted.split_states(after)[1].labels[1])
    ngrams, unknown = weighted.label_ngrams, weighted.label_ngrams.initial_state(1)
    factors = torch.tensor([[1.0, 0, 0, 0, 0]])
    added, _ = ngrams.read(ids[:1], unknown, factors, weighted.prior.ngram)
    own, of_all = (one.distribution(ids[:1, 0].tolist()) for one in (ngrams.models[0], weighted.prior.ngram))
    np.testing.assert_allclose(
        added[0, 0].exp(), (np.maximum(own, 1e-12) / np.maximum(of_all, 1e-12)) ** 0.4, rtol=1e-3
    )


@pytest.mark.parametrize("match", [False, True])
@torch.no_grad()
def test_a_stepper_adds_them_as_the_model_does(train_run, small_shape, labelled_reviews, match: bool) -> None:
    shape = small_shape | {"ngram_order": 4, "match": match}
    with torch.enable_grad():
        train_run("runs/reviews", source=labelled_reviews, corpus=COLUMNS, model=shape, steps=4)
    weighted = load("runs/reviews").model.with_label_ngrams(0.4)
    if match:
        weighted.match.gate.fill_(0.1)  # so that it matters what the match is added to
    states = [weighted.initial_state(1, np.array([[code, 0]], np.uint16)) for code in (1, 0, 3)]
    steppers = (make_stepper(weighted, states), ModelStepper(weighted, states))
    if not isinstance(steppers[0], CompiledStepper):
        pytest.skip("no C compiler")
    other = weighted.initial_state(1, np.array([[2, 5]], np.uint16))
    for step in range(30):
        tokens = [3 + (step + row) % 8 for row in range(3)]  # repeats, for the match
        found, expected = (stepper.step(tokens) for stepper in steppers)
        np.testing.assert_allclose(found, expected, atol=5e-4)
        for stepper in steppers:
            if step == 5:
                stepper.load(1, other)
            if step == 24:
                stepper.take([2, 0, 0])


def test_the_weight_is_fitted_at_the_end_of_training_and_kept(
    labelled_run, train_run, small_shape, labelled_reviews
) -> None:
    assert labelled_run.model.label_ngrams.weight == 0  # the validation split is too short
    settings = {"source": labelled_reviews, "model": small_shape | {"ngram_order": 4}, "steps": 4}
    train_run("runs/long", corpus=COLUMNS | {"splits": (60.0, 20.0, 20.0)}, **settings)
    model = load("runs/long")
    weight = model.model.label_ngrams.weight
    assert 0.1 < weight <= 1
    dataset = model.read(split="valid")

    def nats(weight: float) -> float:
        weighted = model.model.with_label_ngrams(weight)
        changed = replace(model, checkpoint=replace(model.checkpoint, model=weighted))
        return changed.score(dataset, "valid").nats

    assert nats(weight) == pytest.approx(model.score(dataset, "valid").nats)
    assert nats(weight) < min(nats(weight / 2), nats(0)) and nats(weight) <= nats(min(1, weight + 0.2))


def test_a_file_and_a_resumed_run_keep_them(labelled_run, train_run, small_shape, labelled_reviews, stop_after) -> None:
    whole = labelled_run.model.label_ngrams
    settings = {"source": labelled_reviews, "corpus": COLUMNS, "model": small_shape | {"ngram_order": 4}, "steps": 4}
    train_run("runs/broken", callbacks=stop_after(2), **settings)
    api.resume_run("runs/broken")
    assert same_ngrams(whole, load("runs/broken").model.label_ngrams)
    checkpoint = labelled_run.checkpoint
    checkpoint.model.label_ngrams = replace(whole, weight=0.375)
    save(Path("weighted.safetensors"), checkpoint)
    assert load("weighted.safetensors").model.label_ngrams.weight == 0.375
    checkpoint.model.label_ngrams = None
    save(Path("older.safetensors"), checkpoint)
    assert load("older.safetensors").model.label_ngrams is None


def one_token_model(whole: LabelNgrams) -> NgramModel:
    """A model of single tokens, which needs no tokens before."""
    return NgramModel.fit(np.arange(2, 9), order=1, vocab_size=whole.models[0].vocab_size, bos=0)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: replace(whole, models=whole.models[:-1]), "the n-gram model is damaged"),
        (lambda whole: replace(whole, models=(one_token_model(whole),) * 5), "don't have one order above 1"),
        (lambda whole: replace(whole, weight=float("nan")), "'label_ngrams/weight' is not a number from 0 to 1"),
    ],
)
def test_a_file_with_damaged_ones_is_refused(labelled_run, damage, message: str) -> None:
    checkpoint = labelled_run.checkpoint
    checkpoint.model.label_ngrams = damage(checkpoint.model.label_ngrams)
    save(Path("damaged.safetensors"), checkpoint)
    with pytest.raises(ModelFileError, match=rf"damaged.safetensors.*{message}"):
        load("damaged.safetensors")


def test_without_a_prior_or_labels_there_are_none(train_run, small_shape, labelled_reviews, network) -> None:
    train_run("runs/plain", model=small_shape | {"ngram_order": 4}, steps=2)
    train_run("runs/no-ngrams", source=labelled_reviews, corpus=COLUMNS, model=small_shape, steps=2)
    for run in ("runs/plain", "runs/no-ngrams"):
        assert load(run).model.label_ngrams is None
    model = network(labels=(LabelColumn(name="stars", values=("1", "5"), documents=(3, 1)),))
    assert model.with_label_ngrams(1).label_ngrams is None

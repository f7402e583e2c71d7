"""The n-gram models of label values: what they count, that a file and a resumed run keep them, and how they choose."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from charlm import api, load
from charlm.errors import ModelFileError
from charlm.evaluation.spans import label_ngrams
from charlm.evaluation.spans.classification import Confusion
from charlm.evaluation.spans.label_ngrams import fit_label_ngrams, ngram_nats
from charlm.ngram.arrays import to_arrays
from charlm.ngram.model import NgramModel
from charlm.ngram.score import total_nats
from charlm.storage.checkpoint import save

COLUMNS = {"text_column": "text", "label_column": ("stars", "author")}


@pytest.fixture
def labelled_run(train_run, small_shape, labelled_reviews):
    """A model that has hardly seen its text, with n-grams of 4."""
    shape = small_shape | {"ngram_order": 4}
    train_run("runs/reviews", source=labelled_reviews, corpus=COLUMNS, model=shape, steps=4)
    return load("runs/reviews")


def same_ngrams(one: tuple[NgramModel, ...], other: tuple[NgramModel, ...]) -> bool:
    arrays = ([to_arrays(ngram) for ngram in models] for models in (one, other))
    return len(one) == len(other) and all(
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
    assert same_ngrams(labelled_run.model.label_ngrams, tuple(expected))


def test_nats_are_those_of_the_mixture_with_all_documents(labelled_run) -> None:
    model, tokenizer = labelled_run.model, labelled_run.tokenizer
    texts = ["A fine film.", "", "Dull, and never funny."]
    found = ngram_nats(model, tokenizer, texts, slice(1, 3))
    assert found.shape == (3, 2)
    ids = [tokenizer.bos, *tokenizer.encode(texts[2], unknown="replace").tolist(), tokenizer.eos]
    nats = 0.0
    for end in range(1, len(ids)):
        of_value, of_all = (
            ngram.distribution(ids[:end])[ids[end]] for ngram in (model.label_ngrams[2], model.prior.ngram)
        )
        nats -= math.log(0.9 * of_value + 0.1 * of_all)
    assert found[2, 1] == pytest.approx(nats, rel=1e-5)


def test_a_choice_is_made_by_the_mean_of_network_and_ngrams(labelled_run, labelled_reviews) -> None:
    author = labelled_run.model.config.labels[1]
    first = [name for name, _ in labelled_run.model.config.label_values].index("author")
    found = [*labelled_run.classify(labelled_reviews, label="author", temperature=1.0)]
    texts = [one.text for one in found]
    ngrams = ngram_nats(labelled_run.model, labelled_run.tokenizer, texts, slice(first, first + len(author.values)))
    for index in (0, 100, 239):
        network = [score.nats for score in found[index].choice.scores]
        assert found[index].choice.nats == pytest.approx((np.array(network) + ngrams[index]) / 2)
    labelled_run.model.label_ngrams = ()
    alone = [*labelled_run.classify(labelled_reviews, label="author", temperature=1.0)]
    assert [one.to_json()["bits"] for one in alone] == [one.to_json()["bits"] for one in found]
    assert alone[0].choice.nats == tuple(score.nats for score in alone[0].choice.scores)


def test_ngrams_tell_labels_apart_that_the_network_has_not_learnt(labelled_run, labelled_reviews) -> None:
    def accuracy() -> float:
        confusion = Confusion(labelled_run.model.config.labels[0].values)
        for one in labelled_run.classify(labelled_reviews, label="stars"):
            confusion.add(one)
        return confusion.accuracy

    with_ngrams = accuracy()
    labelled_run.model.label_ngrams = ()
    assert with_ngrams > 0.9 > accuracy()


def test_a_large_text_is_counted_in_stretches_that_have_all_values(labelled_run, monkeypatch) -> None:
    train, tokenizer = labelled_run.read().train, labelled_run.tokenizer
    monkeypatch.setattr(label_ngrams, "_STRETCHES", 20)
    monkeypatch.setattr(label_ngrams, "most_counted", lambda *_: (len(train) // 2, 1000))
    number = len(labelled_run.model.config.label_values)
    models = fit_label_ngrams(train, tokenizer, number)
    for code, ngram in enumerate(models, 1):
        own = documents_of(train, code)
        assert 0 < ngram.num_ngrams < labelled_run.model.label_ngrams[code - 1].num_ngrams
        assert total_nats(ngram, own) < 0.9 * len(own) * math.log(tokenizer.vocab_size)


def test_a_file_and_a_resumed_run_keep_them(labelled_run, train_run, small_shape, labelled_reviews, stop_after) -> None:
    whole = labelled_run.model.label_ngrams
    settings = {"source": labelled_reviews, "corpus": COLUMNS, "model": small_shape | {"ngram_order": 4}, "steps": 4}
    train_run("runs/broken", callbacks=stop_after(2), **settings)
    api.resume_run("runs/broken")
    assert same_ngrams(whole, load("runs/broken").model.label_ngrams)
    checkpoint = labelled_run.checkpoint
    checkpoint.model.label_ngrams = ()
    save(Path("older.safetensors"), checkpoint)
    assert load("older.safetensors").model.label_ngrams == ()
    checkpoint.model.label_ngrams = whole[:-1]
    save(Path("short.safetensors"), checkpoint)
    with pytest.raises(ModelFileError, match=r"short.safetensors: the n-gram model is damaged"):
        load("short.safetensors")


def test_without_a_prior_or_labels_there_are_none(train_run, small_shape, labelled_reviews) -> None:
    train_run("runs/plain", model=small_shape | {"ngram_order": 4}, steps=2)
    train_run("runs/no-ngrams", source=labelled_reviews, corpus=COLUMNS, model=small_shape, steps=2)
    for run in ("runs/plain", "runs/no-ngrams"):
        assert load(run).model.label_ngrams == ()

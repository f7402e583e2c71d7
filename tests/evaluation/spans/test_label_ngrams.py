"""The n-gram models of label values as a second opinion: what a score is, and how `charlm classify` uses it."""

import math

import numpy as np
import pytest

from charlm.evaluation.spans.classification import Confusion
from charlm.evaluation.spans.label_ngrams import ngram_nats


def test_nats_are_those_of_the_mixture_with_all_documents(labelled_run) -> None:
    model, tokenizer = labelled_run.model, labelled_run.tokenizer
    texts = ["A fine film.", "", "Dull, and never funny."]
    found = ngram_nats(model, tokenizer, texts, slice(1, 3))
    assert found.shape == (3, 2)
    ids = [tokenizer.bos, *tokenizer.encode(texts[2], unknown="replace").tolist(), tokenizer.eos]
    nats = 0.0
    for end in range(1, len(ids)):
        of_value, of_all = (
            ngram.distribution(ids[:end])[ids[end]] for ngram in (model.label_ngrams.models[2], model.prior.ngram)
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
    labelled_run.model.label_ngrams = None
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
    labelled_run.model.label_ngrams = None
    assert with_ngrams > 0.9 > accuracy()

"""Values of a label are told apart by Bayes' theorem, with the sums of `evaluate`."""

import math

import pytest
import torch

from charlm import load
from charlm.data.reader import stream_parts
from charlm.data.sources import find_sources
from charlm.errors import ConfigError, CorpusError
from charlm.evaluation.score import evaluate
from charlm.evaluation.spans.classification import Confusion, calibrate_on, classify, held_out_parts
from charlm.evaluation.spans.scores import score_spans

COLUMNS = {"text_column": "text", "label_column": ("stars", "author")}


@pytest.fixture
def labelled_run(train_run, labelled_reviews):
    """A model of the reviews that knows their labels; its vectors tell words apart."""
    shape = {"hidden_size": 24, "embedding_size": 16, "dropout": 0.0, "ngram_order": 0}
    train_run(
        "runs/reviews",
        source=labelled_reviews,
        corpus=COLUMNS,
        model=shape,
        steps=150,
        batch_size=8,
        learning_rate=0.02,
    )
    return load("runs/reviews")


def test_posteriors_are_those_of_bayes(labelled_run, labelled_reviews) -> None:
    model, stars = labelled_run.model, labelled_run.model.config.labels[0]
    found = [*labelled_run.classify(labelled_reviews, label="stars", temperature=2.0, prior=[0.5, 0.25, 0.25])]
    assert len(found) == 240 and {one.truth for one in found} == {"1", "3", "5"}
    texts = ([f"stars={value}"] for value in stars.values)
    scores = [[*labelled_run.with_labels(*text).score_spans(labelled_reviews, by="document")] for text in texts]
    for index in (0, 100, 239):
        joint = [share * math.exp(-own[index].nats / 2) for share, own in zip((0.5, 0.25, 0.25), scores, strict=True)]
        assert found[index].choice.posterior == pytest.approx([one / sum(joint) for one in joint])
        assert found[index].probabilities[found[index].value] == max(found[index].choice.posterior)
    assert sum(found[7].probabilities.values()) == pytest.approx(1)
    record = found[0].to_json()
    assert record["truth"] == "1" and record["bits"]["5"] == pytest.approx(scores[2][0].bits)
    assert model.config.labels[0] == stars


def test_it_learns_to_tell_and_is_calibrated_on_the_validation_split(labelled_run, labelled_reviews) -> None:
    calibration = labelled_run.calibrate_labels("stars")
    assert calibration.confusion.sum() == len(labelled_run.read().valid.starts) - 1
    assert calibration.confusion.trace() > 0.8 * calibration.confusion.sum()
    confusion = Confusion(labelled_run.model.config.labels[0].values)
    for one in labelled_run.classify(labelled_reviews, label="stars"):
        confusion.add(one)
    assert confusion.documents == 240 and confusion.accuracy > 0.9
    with pytest.raises(ConfigError, match="the model has several labels; give one of stars, author"):
        labelled_run.classify(labelled_reviews)


def test_labels_change_the_score_of_their_documents(labelled_run, labelled_reviews) -> None:
    dataset = labelled_run.read(labelled_reviews)
    plain = labelled_run.with_labels()
    with_labels, without = (evaluate(one.model, one.tokenizer, dataset.train) for one in (labelled_run, plain))
    assert with_labels.nats < without.nats
    for model, expected in ((labelled_run, with_labels), (plain, without)):
        spans = [*model.score_spans(labelled_reviews, by="line")]
        assert math.fsum(span.nats + span.end_nats for span in spans) == expected.nats
        assert spans[0].to_json()["labels"] == {"stars": "1", "author": "ann"}
    alone = [*labelled_run.score_spans(labelled_reviews, by="line", alone=True)]
    assert alone[0].nats == pytest.approx(spans[0].nats) or alone[0].labels == spans[0].labels
    strings = [*labelled_run.score_texts(["A fine film."])]
    assert "labels" not in strings[0].to_json()


def test_a_long_document_keeps_its_labels(labelled_run, monkeypatch: pytest.MonkeyPatch, labelled_reviews) -> None:
    config = labelled_run.corpus_config
    whole = [
        *score_spans(labelled_run.model, labelled_run.tokenizer, labelled_run.stream(labelled_reviews), "document")
    ]
    monkeypatch.setattr("charlm.data.windows.scoring.BLOCK_TOKENS", 20)
    parts = stream_parts(find_sources(labelled_reviews).sources, config)
    pieces = [*score_spans(labelled_run.model, labelled_run.tokenizer, parts, "document")]
    torch.testing.assert_close([span.nats for span in pieces], [span.nats for span in whole], rtol=1e-5, atol=1e-4)


def test_held_out_text_is_cut_as_asked_and_sampled_evenly(labelled_run) -> None:
    corpus = labelled_run.read().corpus
    lines = held_out_parts(corpus, "train", labelled_run.corpus_config.changed({"documents": "line"}))
    assert len(lines) == 2 * len(held_out_parts(corpus, "train", labelled_run.corpus_config))
    few = held_out_parts(corpus, "train", labelled_run.corpus_config, most_documents=9)
    assert [dict(part.labels)["stars"] for _, part in few] == ["1"] * 3 + ["3"] * 3 + ["5"] * 3
    assert calibrate_on(labelled_run.model, labelled_run.tokenizer, few, labelled_run.model.config.labels[0])
    assert [*classify(labelled_run.model, labelled_run.tokenizer, few, labelled_run.model.config.labels[1])]


def test_without_a_validation_split_there_is_no_calibration(train_run, labelled_reviews) -> None:
    train_run("runs/all", source=labelled_reviews, corpus=COLUMNS | {"splits": (100, 0, 0)}, steps=2)
    with pytest.raises(CorpusError, match="reviews has no valid split to calibrate on"):
        load("runs/all").calibrate_labels("stars")

import math
import random

import pytest

from charlm.evaluation.baselines import Baseline
from charlm.evaluation.score import Evaluation
from charlm.evaluation.verdict import validation_verdict, verdict

CHARACTERS = 1000


def score(bits: float, unknown: int = 0, characters: int = CHARACTERS) -> Evaluation:
    return Evaluation(
        documents=1,
        tokens=characters,
        characters=characters,
        bytes=characters,
        unknown_characters=unknown,
        nats=bits * characters * math.log(2),
    )


def baselines(characters: int = CHARACTERS, **bits: float) -> dict[str, Baseline]:
    usual = {"ngram": 2.3, "unigram": 4.5, "uniform": 6.0, "gzip": 3.4, "xz": 3.2} | bits
    return {
        name: Baseline(nats=value * characters * math.log(2), characters=characters) for name, value in usual.items()
    }


def test_a_network_that_wins_needs_no_words() -> None:
    assert list(verdict(score(2.0), baselines())) == []


@pytest.mark.parametrize(
    ("bits", "others", "settings", "said"),
    [
        (2.5, {}, {}, ["The n-gram model (2.300) predicts", "use more units"]),
        (1.1, {"xz": 0.99}, {}, ["xz (0.990) predicts this text better than the network (1.100", "repeats passages"]),
        (1.1, {}, {"copied": 0.5}, ["50% of it, verbatim"]),
        (
            5.0,
            {},
            {},
            ["The n-gram model (2.300), xz (3.200), gzip (3.400) and the unigram model (4.500) predict", "how freq"],
        ),
        (7.0, {}, {}, ["The n-gram model", "worse than guessing"]),
        (2.6, {"ngram": 2.9, "xz": 2.5}, {"is_sorted": True}, ["xz (2.500)", "in alphabetical order"]),
        (2.0, {}, {"validation": 1.0}, ["much worse here than on the validation split (1.386 against 1.000"]),
        (5.0, {"uniform": 4.4}, {}, ["The n-gram model", "of another kind; if the documents are independent, shuffle"]),
        (2.0, {"uniform": 4.4}, {"is_own": False}, ["of another kind."]),
    ],
)
def test_the_winner_is_named_and_explained(bits: float, others: dict, settings: dict, said: list[str]) -> None:
    sentences = list(verdict(score(bits), baselines(**others), **settings))
    assert len(sentences) == len(said)
    assert all(part in sentence for part, sentence in zip(said, sentences, strict=True)), sentences


def test_unknown_characters_are_another_kind_of_text() -> None:
    (sentence,) = verdict(score(2.0, unknown=60), baselines())
    assert sentence.startswith(
        "60 of its characters (6.0%) never occur in the training split, so it is of another kind"
    )


def test_hardly_any_text_judges_no_network() -> None:
    first, second = verdict(score(7.0, 1, characters=1), baselines(characters=1), copied=1.0)
    assert first.startswith("The n-gram model (2.300)") and "predict this text better than the network" in first
    assert second == "The text has only 1 character, too few to judge the network by."
    assert list(verdict(score(2.0, 1, characters=1), baselines(characters=1))) == []
    assert "worse than guessing" in [*verdict(score(7.0, characters=200), baselines(characters=200))][1]


def test_a_split_that_repeats_the_training_split_is_recognised(dataset_of) -> None:
    draw = random.Random(1)
    verse = "".join(draw.choice("abcdefgh \n") for _ in range(2000))
    sentences = validation_verdict(dataset_of(verse * 12), 2.0)
    assert "xz" in sentences[0] and "repeats passages" in sentences[1]
    (sentence,) = validation_verdict(dataset_of(verse * 12), 0.001)  # also when the network wins
    assert sentence.startswith("The text repeats passages of the training split or of its own (100% of it, verbatim)")

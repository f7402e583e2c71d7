"""The texts of the Write page are those of `charlm sample`."""

import json

import pytest


def test_texts_side_by_side_are_those_of_sample(charlm, served) -> None:
    shown = charlm("sample", "a", "--prefix", "cat", "--seed", 4, "--num", 2, "--length", 30, "--jsonl", "--show-probs")
    expected = [json.loads(line) for line in shown.stdout.splitlines()]
    events = served.events("/api/write", {"model": "a", "prefix": "cat", "seed": 4, "num": 2, "length": 30})
    for index, one in enumerate(expected):
        parts = [event for event in events if isinstance(event, list) and event[0] == index]
        assert "cat" + "".join(text for _, text, _ in parts) == one["text"]
        nats = [value for _, _, values in parts for value in values]
        assert nats == pytest.approx(one["log_probabilities"], abs=1e-4)
        (end,) = [event for event in events if isinstance(event, dict) and event["index"] == index]
        assert end["seed"] == 4 + index and end["ended"] == one["ended"]


def test_what_else_could_have_stood_there(served) -> None:
    offers = served.json("POST", "/api/alternatives", {"model": "a", "text": "cat and th"})
    assert len(offers) == 8
    assert [one["probability"] for one in offers] == sorted((one["probability"] for one in offers), reverse=True)


def test_copied_passages(served, sentences: str) -> None:
    found = served.json("POST", "/api/copies", {"model": "a", "texts": [sentences[:60], "QZX"]})
    assert found["passages"] == [[[0, 60]], []]


def test_a_mistake_is_named_before_anything_is_written(served) -> None:
    for body, words in (
        ({"prefix": "Ж"}, b"vocabulary"),
        ({"temperature": "hot"}, b"--temperature"),
        ({"steer": ["mood=1"]}, b"no direction"),
        ({"colour": 1}, b"no field colour"),
    ):
        status, answer = served.ask("POST", "/api/write", {"model": "a", **body})
        assert status == 400 and words in answer


def test_labels_and_constraints_are_those_of_sample(charlm, stars) -> None:
    label = "stars=5"
    shown = charlm("sample", "stars", "--label", label, "--seed", 2, "--length", 60, "--jsonl", "--show-probs")
    plain, labelled = (
        stars.events("/api/write", {"model": "stars", "seed": 2, "length": 60, "label": labels})
        for labels in ([], [label])
    )
    text = "".join(part[1] for part in labelled if isinstance(part, list))
    assert text == json.loads(shown.stdout)["text"] != "".join(part[1] for part in plain if isinstance(part, list))
    assert stars.json("GET", "/api/models/stars")["labels"] == [
        {"name": "stars", "values": ["1", "3", "5"]},
        {"name": "author", "values": ["ann", "bob"]},
    ]
    offers, other = (
        stars.json("POST", "/api/alternatives", {"model": "stars", "text": "A ", "label": labels})
        for labels in ([label], ["stars=1"])
    )
    assert offers != other
    bits, unlike = (
        stars.json("POST", "/api/read", {"model": "stars", "text": "A fine film", "label": labels})
        for labels in ([label], ["stars=1"])
    )
    assert bits["bits_per_character"] != unlike["bits_per_character"]
    constraints = {"must_contain": ["film"], "lines": 2, "acrostic": "AS", "words": ["A", "So", "film", "fine"]}
    events = stars.events("/api/write", {"model": "stars", "seed": 1, "length": 60, **constraints})
    written = "".join(part[1] for part in events if isinstance(part, list))
    first, second = written.strip().split("\n")
    assert first.startswith("A") and second.startswith("S") and "film" in written


def test_constraints_that_cannot_be_kept_are_named(served) -> None:
    for body, words in (
        ({"label": "stars=5"}, b"the model has no labels"),
        ({"lines": 3, "length": 50_000}, b"with --lines give at most 5,000"),
        ({"rhyme": "AB"}, b"--rhyme AB needs --syllables"),
        ({"syllables": "a/b"}, b"--syllables is 'a/b'"),
        ({"must_contain": ["x" * 90], "length": 10}, b"--must-contain"),
    ):
        status, answer = served.ask("POST", "/api/write", {"model": "a", "seed": 1, **body})
        assert status == 400 and words in answer, answer


def test_a_target_is_that_of_sample(charlm, pairs) -> None:
    options = ("--source", "abf", "--seed", 3, "--length", 12, "--temperature", 1)
    expected = json.loads(charlm("sample", "pairs", *options, "--json").stdout)
    settings = {"model": "pairs", "seed": 3, "length": 12, "temperature": "1"}
    events = pairs.events("/api/write", settings | {"source": "abf"})
    assert "".join(part[1] for part in events if isinstance(part, list)) == expected[0]["text"]
    assert pairs.json("GET", "/api/models/pairs")["pairs"] == {"source": "word", "target": "written"}
    text = expected[0]["text"][:2]
    offers = pairs.json("POST", "/api/alternatives", {"model": "pairs", "text": text, "source": "abf"})
    model = pairs.resources.models.load("pairs").text_model
    session = model.session(text, source="abf", temperature=1.0, seed=0)
    assert [one["probability"] for one in offers] == [one.probability for one in session.offers(8)]


def test_a_source_that_is_missing_or_of_no_use_is_named(pairs) -> None:
    for path, field in (
        ("/api/write", "prefix"),
        ("/api/alternatives", "text"),
        ("/api/read", "text"),
        ("/api/neurons", "text"),
    ):
        for body, words in (
            ({"model": "pairs"}, "this model writes the 'written' of a 'word'; give one with --source TEXT"),
            ({"model": "pairs", "source": ""}, "the source is empty; give a text like those of the column 'word'"),
            ({"model": "pairs", "source": 417}, "source is 417; give a text"),
            ({"model": "english", "source": "ab"}, "this model was not trained on pairs; leave it out"),
        ):
            status, answer = pairs.ask("POST", path, body | {field: "A"})
            assert status == 400 and words in answer.decode(), (path, body, answer)

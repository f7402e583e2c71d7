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

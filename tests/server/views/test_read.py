"""The Read page shows what `charlm heatmap` shows."""

import base64
import json

import numpy as np


def test_a_reading_is_that_of_heatmap(charlm, served, write, sentences: str) -> None:
    text = sentences[:300]
    shown = json.loads(charlm("heatmap", "a", write(text, "read.txt"), "--json").stdout)
    found = served.json("POST", "/api/read", {"model": "a", "text": text})
    bits = np.frombuffer(base64.b64decode(found["data"]["bits"]), "<u2") / 1000
    assert np.allclose(bits, [one["bits"] for one in shown], atol=1e-3)
    assert found["data"]["values"] is None
    gate = served.json("POST", "/api/read", {"model": "a", "text": text, "unit": "0:3:f"})
    assert gate["data"]["gate"] and gate["data"]["values"]


def test_units_are_named_as_in_the_terminal(served) -> None:
    for unit in ("9:1", "0:999", "0:1:z", "x"):
        assert served.ask("POST", "/api/read", {"model": "a", "text": "cat", "unit": unit})[0] == 400


def test_the_units_that_follow_something(served, sentences: str) -> None:
    found = served.json("POST", "/api/neurons", {"model": "a", "text": sentences[:1500]})
    assert found["tokens"] == 1500 and {"property", "unit", "found", "confirmed"} <= found["rows"][0].keys()


def test_a_target_is_read_after_its_source(charlm, pairs, write) -> None:
    options = ("--source", "abf", "--json")
    shown = json.loads(charlm("heatmap", "pairs", write("ABF.", "read.txt"), *options).stdout)
    found = pairs.json("POST", "/api/read", {"model": "pairs", "text": "ABF.", "source": "abf"})
    bits = np.frombuffer(base64.b64decode(found["data"]["bits"]), "<u2") / 1000
    assert np.allclose(bits, [one["bits"] for one in shown], atol=1e-3)
    other = pairs.json("POST", "/api/read", {"model": "pairs", "text": "ABF.", "source": "ebc"})
    assert other["bits_per_character"] != found["bits_per_character"]
    assert pairs.json("POST", "/api/neurons", {"model": "pairs", "text": "ABF.", "source": "abf"})["tokens"] == 4


def test_units_are_those_of_the_labels(charlm, stars, write) -> None:
    text = "A dull film, and weak.\nSo dull!\n" * 30
    words = ("neurons", "stars", write(text, "read.txt"), "--label", "stars=1", "--top", 1, "--json")
    expected = [one["units"][0] for one in json.loads(charlm(*words).stdout)["properties"]]
    rows, plain = (
        stars.json("POST", "/api/neurons", {"model": "stars", "text": text, "label": label})["rows"]
        for label in ("stars=1", [])
    )
    assert [(one["unit"], one["found"]) for one in rows] == [(one["unit"], one["found"]) for one in expected]
    assert rows != plain

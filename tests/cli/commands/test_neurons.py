"""`charlm neurons` as a user types it."""

import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def letter(trained_run, sentences: str, write) -> Path:
    """A text to read; the newest run is that of `trained_run`."""
    trained_run()
    return write(sentences[:2000], "letter.txt")


def test_it_shows_a_table_and_the_gates(charlm, letter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = charlm("neurons", letter, "--top", "1")
    lines = result.stdout.splitlines()
    assert lines[:2] == ["letter.txt read by a", "2,000 tokens, 64 units"]
    assert any(line.startswith("position in the line") and "correlation" in line for line in lines)
    assert any(line.startswith("in a word") and "AUC" in line for line in lines)
    assert sum(line.startswith("layer") for line in lines) == 2 * 3
    assert "note: left out: in quotes (doesn't vary in this text)" in result.stderr
    monkeypatch.setenv("COLUMNS", "80")
    assert "\x1b" not in result.stdout


def test_json_has_all_units(charlm, letter: Path) -> None:
    values = json.loads(charlm("neurons", "runs/a", letter, "--json", "--top", "3", "--tokens", "1500").stdout)
    assert values["tokens"] == 1500 and len(values["units"]) == 64 and "in quotes" in values["left_out"]
    names = [one["property"] for one in values["properties"]]
    assert "digit" in names and {one["property"] for one in values["units"]} <= set(names)
    for one in values["properties"]:
        assert len(one["units"]) == 3 and one["kind"] in ("yes or no", "number") and -1 <= one["untrained"] <= 1
        assert set(one["units"][0]) == {"unit", "sign", "chosen", "found", "confirmed"}
        chosen = [unit["chosen"] for unit in one["units"]]
        assert chosen == sorted(chosen, reverse=True)
    assert [one["gate"] for one in values["gates"]] == ["i", "f", "o"] * 2 and len(values["gates"][0]["shut"]) == 16


def test_a_page_and_a_picture(charlm, letter: Path) -> None:
    result = charlm("neurons", letter, "--html", "units.html", "--plot", "gates.png")
    assert "wrote units.html" in result.stderr and "wrote gates.png" in result.stderr
    assert "letter.txt read by a" in Path("units.html").read_text(encoding="utf-8")
    assert Path("gates.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_named(
    charlm,
    failed,
    text: Path,
    brief: list[str],
    small_shape: dict,
    train_run,
    letter: Path,
    write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "give a TEXT to read" in failed("neurons")
    assert "empty.txt: there is no text to read; give a file" in failed("neurons", write("", "empty.txt"))
    assert "--top" in failed("neurons", letter, "--top", "0")
    assert "a name that ends in .png" in failed("neurons", letter, "--plot", "gates.doc")
    assert "there is no folder 'no/such'" in failed("neurons", letter, "--html", "no/such/folder.html")
    charlm("train", text, "--run", "back", "--direction", "backward", *brief)
    assert "reads from right to left" in failed("neurons", "runs/back", letter)
    train_run("runs/rnn", model=small_shape | {"cell": "rnn"}, steps=2)
    assert "the cell rnn has none" in failed("neurons", "runs/rnn", letter, "--plot", "gates.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install" in failed("neurons", letter, "--plot", "gates.png")


@pytest.mark.usefixtures("letter")
def test_one_character_is_read(charlm, write) -> None:
    result = charlm("neurons", write("c", "one.txt"))
    assert "1 token, " in result.stdout and result.stderr.count("left out") == 11


def test_a_text_is_read_with_its_labels(charlm, failed, trained_run, labelled_reviews: Path, write) -> None:
    table = {"text_column": "text", "label_column": ("stars", "author")}
    run = trained_run("runs/stars", source=labelled_reviews, corpus=table)
    words = ("neurons", run, write("A dull film, and weak.\nSo dull!\n" * 30, "review.txt"), "--top", 1)
    result = charlm(*words, "--label", "stars=1", "--label", "author=bob")
    assert result.stdout.splitlines()[0] == "review.txt read by stars, stars=1, author=bob"
    found = [charlm(*words, "--json", *options).stdout for options in ((), ("--label", "stars=1"))]
    assert found[0] != found[1]
    assert "stars=9; its values are 1, 3, 5" in failed(*words, "--label", "stars=9")

"""`charlm heatmap` as a user types it."""

import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

import charlm as api


@pytest.fixture
def letter(trained_run, write) -> Path:
    """A text to read; the newest run is that of `trained_run`."""
    trained_run()
    return write("cat and the cat, a 3 of cats.\nQuite another line ö\n", "letter.txt")


def test_without_colours_each_line_stands_behind_its_bits(charlm, letter: Path) -> None:
    shown = charlm("heatmap", letter)
    assert "in front of each line: its bits per character" in shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0][9:] == "cat and the cat, a 3 of cats."
    known, other = (float(line[:7]) for line in lines)
    values = json.loads(charlm("heatmap", "runs/a", letter, "--json").stdout)
    assert "".join(value["text"] for value in values).startswith("cat and the cat, a 3 of cats.\n")
    assert known == pytest.approx(sum(value["bits"] for value in values[:30]) / 30, abs=1e-3)
    assert other > known


def test_a_terminal_shows_colours(charlm, letter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    console = Console(force_terminal=True, color_system="truecolor")
    monkeypatch.setattr("charlm.cli.ui.heatmaps.reading.stdout", lambda: console)
    shown = charlm("heatmap", letter).stdout
    assert re.search(r"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+", shown) and "bits per character" in shown
    assert all(mark in shown for mark in (" 0 bits ", " 5 bits ", " 10 bits or more "))
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).startswith("cat and the cat, a 3 of cats.\n")
    shown = charlm("heatmap", letter, "--unit", "0:3").stdout
    backgrounds = [[*map(int, found)] for found in re.findall(r";48;2;(\d+);(\d+);(\d+)m", shown)]
    assert any(blue > red for red, _, blue in backgrounds) and any(red > blue for red, _, blue in backgrounds)


def test_a_page_and_the_values_of_a_unit(charlm, letter: Path) -> None:
    shown = charlm("heatmap", letter, "--html", "letter.html", "--unit", "0:3:c")
    assert shown.stdout == "" and "wrote letter.html" in shown.stderr
    assert "letter.txt read by a" in Path("letter.html").read_text()
    values = json.loads(charlm("heatmap", letter, "--unit", "0:3", "--json").stdout)
    assert all(-1 <= value["unit"] <= 1 for value in values)


def test_the_values_of_a_gate(charlm, failed, letter: Path) -> None:
    shown = charlm("heatmap", letter, "--html", "letter.html", "--gate", "1:3:f")
    assert shown.stdout == "" and "coloured by gate 1:3:f" in Path("letter.html").read_text()
    values = json.loads(charlm("heatmap", letter, "--gate", "1:3:f", "--json").stdout)
    assert all(0 < value["gate"] < 1 for value in values)
    assert "give one of them" in failed("heatmap", letter, "--gate", "0:3:f", "--unit", "0:3")
    assert "the gates of the cell lstm are i, f, o" in failed("heatmap", letter, "--gate", "0:3:z")


def test_a_long_text_is_cut_and_it_says_so(charlm, failed, letter: Path) -> None:
    result = charlm("heatmap", letter, "--tokens", "10", "--json")
    assert "".join(value["text"] for value in json.loads(result.stdout)) == "cat and th"
    assert "note: reading only the first 10 of 51 tokens; --tokens sets how many" in result.stderr
    assert "--tokens is 0" in failed("heatmap", letter, "--tokens", "0")


def test_a_text_of_any_length_is_bounded(charlm, letter: Path, write) -> None:
    result = charlm("heatmap", write("cat and the cat, a 3 of cats.\n" * 4000, "long.txt"))
    assert "note: reading only the first 100,000 of 120,000 tokens" in result.stderr
    assert len(result.stdout) < 200_000


def test_mistakes_are_named(failed, letter: Path, write) -> None:
    assert "give a TEXT to read" in failed("heatmap")
    assert "can't be read" in failed("heatmap", "nothing.txt")
    assert failed("heatmap", "runs") == "error: runs is a folder; name a file"
    assert "is not valid UTF-8: byte 0xff at byte offset 1" in failed("heatmap", write(b"a\xff", "odd.txt"))
    assert "empty.txt: there is no text to read; give a file" in failed("heatmap", write(b"", "empty.txt"))
    assert "--unit is 'x'" in failed("heatmap", letter, "--unit", "x")
    assert "there is no folder 'no/such'" in failed("heatmap", letter, "--html", "no/such/folder.html")


def test_unknown_characters_are_said(charlm, run: str, write) -> None:
    assert "1 character of the text is unknown to the model, shown as �" in charlm("heatmap", write("cat Ж\n")).stderr
    assert "unknown" not in charlm("heatmap", write("cat Ж\n"), "--unknown", "skip").stderr
    assert "unknown" not in charlm("heatmap", write("cat\n")).stderr


def test_a_text_is_read_with_its_labels(charlm, failed, trained_run, labelled_reviews: Path, write) -> None:
    table = {"text_column": "text", "label_column": ("stars", "author")}
    run = trained_run("runs/stars", source=labelled_reviews, corpus=table)
    text = "A dull film, and weak."
    words = ("heatmap", run, write(text, "review.txt"))
    model = api.load(run)
    shown = {}
    for labels in ((), ("stars=1",), ("stars=1", "author=ann:0.5,bob:0.5"), ("stars=5",)):
        options = [word for label in labels for word in ("--label", label)]
        shown[labels] = [one["bits"] for one in json.loads(charlm(*words, *options, "--json").stdout)]
        nats = (model.with_labels(*labels) if labels else model).surprisal(text)
        assert shown[labels] == pytest.approx([one / math.log(2) for one in nats], abs=1e-3)
    assert len(set(map(tuple, shown.values()))) == 4
    charlm(*words, "--label", "stars=5", "--html", "review.html")
    assert "review.txt read by stars, stars=5" in Path("review.html").read_text()
    assert "stars=9; its values are 1, 3, 5" in failed(*words, "--label", "stars=9")
    assert "no label 'mood'; its labels are stars, author" in failed(*words, "--label", "mood=1")
    trained_run()
    assert "the model has no labels" in failed("heatmap", "runs/a", *words[2:], "--label", "stars=1")

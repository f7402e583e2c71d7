"""`charlm heatmap` as a user types it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from charlm.analysis.units.reading import Reading
from charlm.cli.commands.heatmap import _show_lines


@pytest.fixture
def letter(trained_run, write) -> Path:
    """A text to read; the newest run is that of `trained_run`."""
    trained_run()
    return write("cat and the cat, a 3 of cats.\nQuite another line ö\n", "letter.txt")


def test_without_colours_each_line_stands_behind_its_bits(charlm, letter: Path) -> None:
    lines = charlm("heatmap", letter).stdout.splitlines()
    assert lines[0][9:] == "cat and the cat, a 3 of cats."
    known, other = (float(line[:7]) for line in lines)
    values = json.loads(charlm("heatmap", "runs/a", letter, "--json").stdout)
    assert "".join(value["text"] for value in values).startswith("cat and the cat, a 3 of cats.\n")
    assert known == pytest.approx(sum(value["bits"] for value in values[:30]) / 30, abs=1e-3)
    assert other > known


def test_a_terminal_shows_colours(charlm, letter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr("charlm.cli.ui.console.stdout", lambda: Console(force_terminal=True, color_system="truecolor"))
    shown = charlm("heatmap", letter).stdout
    assert re.search(r"\x1b\[30;48;2;255;", shown) and "bits per character" in shown
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).startswith("cat and the cat, a 3 of cats.\n")
    shown = charlm("heatmap", letter, "--unit", "0:3").stdout
    assert re.search(r"\x1b\[30;48;2;\d+;\d+;255m", shown)  # below zero


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


def test_mistakes_are_named(failed, letter: Path, write) -> None:
    assert "give a TEXT to read" in failed("heatmap")
    assert "can't be read" in failed("heatmap", "nothing.txt")
    assert "is not valid UTF-8: byte 0xff at byte offset 1" in failed("heatmap", write(b"a\xff", "odd.txt"))
    assert "no text to read" in failed("heatmap", write(b"", "empty.txt"))
    assert "--unit is 'x'" in failed("heatmap", letter, "--unit", "x")
    assert "there is no folder 'no/such'" in failed("heatmap", letter, "--html", "no/such/folder.html")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_any_line_end_have_their_own_bits(capsys: pytest.CaptureFixture[str], end: str) -> None:
    texts = [*f"a{end}bc{end}{end}d"]
    bits = np.array([{"a": 1.0, "b": 2.0, "c": 2.0, "d": 4.0}.get(text, 0.0) for text in texts])
    none = np.zeros((len(texts), 0))
    _show_lines(Reading(ids=none, texts=tuple(texts), bits=bits, likeliest=none, probabilities=none, values=None))
    ends = 1 + len(end)
    expected = [(1 / ends, "a"), (4 / (1 + ends), "bc"), (0.0, ""), (4.0, "d")]
    assert capsys.readouterr().out.splitlines() == [f"{value:7.3f}  {line}" for value, line in expected]

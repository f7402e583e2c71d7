"""`charlm probe`, `features` and `sample --steer` as a user types them, on a model with a planted unit."""

import json
import re
from pathlib import Path

import pytest


def test_a_probe_and_writing_by_what_it_found(charlm, reviews: dict[str, Path]) -> None:
    shown = charlm("probe", "--positive", reviews["good"], "--negative", reviews["bad"], "--name", "mood")
    assert "positive or negative?" in shown.stdout and "best single unit (0:" in shown.stdout
    assert "1.000" in shown.stdout
    assert re.search(r"trained on \d+ texts, tested on \d+ others", shown.stderr)
    assert Path("runs/a/directions/mood.safetensors").exists()
    for strength, letter in ((9, "a"), (-9, "b")):
        more = ("--seed", 1, "--length", 30, "--no-prefix-in-output", "--prefix", "a")
        text = charlm("sample", "a", "--steer", f"mood={strength}", *more).stdout
        assert text.count(letter) > 25
    pairs = json.loads(charlm("sample", "--compare-steer", "mood=9", "--num", 2, "--seed", 1, "--json").stdout)
    assert [pair["seed"] for pair in pairs] == [1, 2]
    assert all(pair["texts"]["positive"].count("a") > pair["texts"]["negative"].count("a") for pair in pairs)
    shown = charlm("sample", "--compare-steer", "mood", "--length", 8).stdout
    assert "positive  (mood=+2)" in shown and "negative  (mood=-2)" in shown


def test_a_table_with_a_test_table(charlm, reviews: dict[str, Path], write, planted) -> None:
    test = write("".join(f"{text}\tgood\n" for text in planted.texts("positive", 30, 9, consistent=True)), "test.tsv")
    found = json.loads(charlm("probe", "--labelled", reviews["both"], "--test", test, "--json").stdout)
    assert len(found) == 1
    assert found[0]["positive"] == "good" and found[0]["negative"] == "bad"
    assert 50 < found[0]["train"] < 120 and 5 <= found[0]["test"] < 30  # each once, and none that is known
    assert found[0]["unit"]["accuracy"] == 1.0
    assert found[0]["direction"] == "runs/a/directions/good.safetensors"


def test_each_of_several_labels_is_told_from_the_rest(charlm, failed, reviews: dict[str, Path], write) -> None:
    more = write(reviews["both"].read_text() + "".join(f"{'ab' * n}\todd\n" for n in range(1, 41)), "three.tsv")
    found = json.loads(charlm("probe", "--labelled", more, "--direction", "unit", "--json").stdout)
    assert [one["positive"] for one in found] == ["bad", "good", "odd"]
    assert found[2]["negative"] == "not odd"
    assert "--name works only with two labels" in failed("probe", "--labelled", more, "--name", "x")


def test_a_picture_of_the_best_unit(charlm, reviews: dict[str, Path]) -> None:
    shown = charlm("probe", "--labelled", reviews["both"], "--plot", "unit.png")
    assert "wrote unit.png" in shown.stderr
    assert Path("unit.png").read_bytes().startswith(b"\x89PNG")


def test_labels_are_no_markup(charlm, reviews: dict[str, Path], write) -> None:
    odd = write(reviews["both"].read_text().replace("\tgood", "\t[b]x"), "odd.tsv")
    shown = charlm("probe", "--labelled", odd, "--name", "mood").stdout
    assert "bad or [b]x?" in shown


def test_a_model_that_reads_from_the_right_is_refused(charlm, failed, text: Path, reviews: dict[str, Path]) -> None:
    charlm("train", text, "--run", "back", "--direction", "backward", "--steps", 20, "--hidden", 8)
    assert (
        "runs/back/model.safetensors reads from right to left; a probe needs a model that reads from left to right"
        in failed("probe", "back", "--labelled", reviews["both"])
    )
    assert "reads from right to left; charlm features needs a model" in failed("features", "back", reviews["good"])


def test_an_adapted_model_is_steered_as_the_one_it_was(charlm, reviews: dict[str, Path], write) -> None:
    charlm("probe", "--labelled", reviews["both"], "--name", "mood")
    more = ("--steer", "mood=9", "--seed", 1, "--length", 20)
    assert charlm("sample", "--adapt", write("abab\n" * 40, "a.txt"), *more).stdout.count("a") > 15


@pytest.mark.usefixtures("reviews")
def test_too_few_to_tell_is_said(charlm, write, planted) -> None:
    planted.save(Path("runs/a/model.safetensors"))
    lines = [f"{text}\t{label}\n" for label in ("p", "q") for text in planted.texts("positive", 25, ord(label))]
    assert "give more test texts" in charlm("probe", "--labelled", write("".join(lines), "same.tsv")).stderr


def test_mistakes_are_named(charlm, failed, reviews: dict[str, Path], write, planted) -> None:
    assert "give --positive and --negative" in failed("probe", "--positive", reviews["good"])
    assert "give --positive and --negative" in failed(
        "probe", "--positive", reviews["good"], "--negative", reviews["bad"], "--labelled", reviews["both"]
    )
    ten = write(
        "".join(f"{text}\t{label}\n" for label in "ab" for text in planted.texts("positive", 5, ord(label))), "ten.tsv"
    )
    assert "a probe needs 20 per label" in failed("probe", "--labelled", ten)
    one = write("".join(f"{text}\tgood\n" for text in planted.texts("positive", 50, 1)), "one.tsv")
    assert "all texts have the label 'good'" in failed("probe", "--labelled", one)
    assert "can't be called 'a=b'" in failed("probe", "--labelled", reviews["both"], "--name", "a=b")
    assert "can't be called '0:1'" in failed("probe", "--labelled", reviews["both"], "--name", "0:1")
    odd = write(reviews["both"].read_text().replace("\tgood", "\t[/b]x"), "odd.tsv")
    assert "can't be called '[/b]x'" in failed("probe", "--labelled", odd, "--name", "[/b]x")
    assert "--seed" in failed("probe", "--labelled", odd, "--seed", 2**32)
    assert "no direction 'joy'" in failed("sample", "--steer", "joy=1")
    assert "--steer names unit 99; a layer has 6" in failed("sample", "--steer", "0:99=1")
    assert "--steer names a cell state" in failed("sample", "--steer", "0:1:c=1")
    assert "--steer is 'joy'" in failed("sample", "--steer", "joy")
    assert "is a unit; give the name of a steering direction" in failed("sample", "--compare-steer", "0:1=2")
    assert "pairs of texts and can't be combined with --beam" in failed("sample", "--compare-steer", "joy", "--beam", 3)
    assert "can't be combined with --unique or --sort" in failed(
        "sample", "--compare-steer", "joy", "--sort", "score", "--unique"
    )
    charlm("probe", "--labelled", reviews["both"], "--name", "mood")
    planted.save(Path("runs/b/model.safetensors"))
    copied = Path("runs/b/directions")
    copied.mkdir()
    (copied / "mood.safetensors").write_bytes(Path("runs/a/directions/mood.safetensors").read_bytes()[:-3])
    assert "or damaged" in failed("sample", "b", "--steer", "mood=1")

"""`charlm score` as a user types it."""

import csv
import json
import math
from pathlib import Path

import pytest

EVAL = ("--no-baselines", "--json")


@pytest.mark.parametrize("by", ["document", "line", "sentence", "word"])
def test_the_scores_add_up_to_eval(charlm, run: str, text: Path, by: str) -> None:
    exact = json.loads(charlm("eval", run, text, *EVAL).stdout)
    for source, stdin in ((text, None), ("-", text.read_bytes())):
        shown = charlm("score", run, source, "--by", by, "--jsonl", stdin=stdin).stdout
        records = [json.loads(line) for line in shown.splitlines()]
        assert math.fsum(one["nats"] + one["end_nats"] for one in records) == exact["nats"]
        assert "".join(one["text"] for one in records) == text.read_text()


def test_the_oddest_line_is_first(charlm, run: str, write, sentences: str) -> None:
    odd = write(sentences[:400] + "Zebras zigzag quickly!\n" + sentences[400:], "odd.txt")
    result = charlm("score", run, odd, "--top", "3")
    heading, first, *others = result.stdout.splitlines()
    assert heading.split() == ["line", "bits", "bits/char", "perplexity", "unknown", "text"]
    assert "Zebras zigzag" in first and len(others) == 2
    assert "121 lines" in result.stderr.replace("122", "121")
    rows = [*csv.DictReader(charlm("score", run, odd, "--sort", "bits", "--csv").stdout.splitlines())]
    bits = [float(row["bits"]) for row in rows if row["bits"]]
    assert bits == sorted(bits, reverse=True)


@pytest.fixture
def two(charlm, run: str, write, brief: list[str]) -> list[str]:
    """Models of two texts."""
    numbers = write("".join(f"{n} {n * n} {n + 7}\n" for n in range(200)), "numbers.txt")
    charlm("train", numbers, "--run", "numbers", *brief)
    return [run, "numbers"]


def test_several_models_are_told_apart(charlm, two: list[str], write) -> None:
    mixed = write("cat and the cat, a 3 of cats.\n5 25 12\n", "mixed.txt")
    for arguments in ((*two, mixed), ("--models", "runs", mixed), (mixed, "--models", "first", "--models", "numbers")):
        records = [json.loads(line) for line in charlm("score", *arguments, "--jsonl").stdout.splitlines()]
        assert [one["likeliest"] for one in records] == ["first", "numbers"]
        assert all(math.fsum(one["posterior"].values()) == pytest.approx(1, abs=1e-14) for one in records)
    table = charlm("score", *two, mixed, "--prior", "first=1,numbers=0").stdout
    assert [line.split()[1:3] for line in table.splitlines()[1:]] == [["first", "1.000"]] * 2


def test_mistakes_are_counted_where_the_truth_is_known(charlm, two: list[str], write) -> None:
    folder = write("cat and the cat, a 3 of cats.\n" * 3, "known/first.txt").parent
    write("5 25 12\n6 36 13\n", "known/numbers.txt")
    by_folder = charlm("score", *two, "--truth", folder)
    assert len(by_folder.stdout.splitlines()) == 6
    assert "100.0% of 5 lines have the true model as the likeliest" in by_folder.stderr
    swapped = [f"--truth=first={folder}/numbers.txt", f"--truth=numbers={folder}/first.txt"]
    assert "0.0% of 5 lines" in charlm("score", *two, *swapped).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no text given"),
        (("{text}", "--models", "nothing"), "no model 'nothing'"),
        (("{text}", "--models", "first", "--models", "runs/first"), "two models are named 'first'"),
        (("first", "{text}", "--models", "numbers"), "first is a model; with --models all models are options"),
        (
            ("runs/first", "{text}", "--models", "numbers"),
            "runs/first is a model; with --models all models are options",
        ),
        (("{text}", "--prior", "first=1"), "need several models"),
        (("first", "numbers", "{text}", "--prior", "first=0.5,numbers=0.6"), "sums to 1.1"),
        (("first", "numbers", "{text}", "--prior", "first=1e400,numbers=-1e400"), "must be from 0 to 1"),
        (("first", "numbers", "{text}", "--prior", "first=nan,numbers=1"), "must be from 0 to 1"),
        (("first", "numbers", "{text}", "--prior", "first=1"), "no probability for numbers"),
        (("first", "numbers", "{text}", "--prior", "first=1,numbres=0"), "did you mean numbers?"),
        (("first", "numbers", "{text}", "--prior", "half"), "give NAME=PROBABILITY"),
        (("first", "numbers", "{text}", "--prior", "first=1,first=0.5,numbers=0.5"), "--prior has first twice"),
        (("first", "numbers", "{text}", "--truth", "third={text}"), "the models are first, numbers"),
        (("first", "numbers", "{text}", "--truth", "{text}"), "give NAME=TEXT, or a folder"),
        (("{text}", "--top", "0"), "--top is 0"),
        (("{text}", "--jsonl", "--csv"), "give one of them"),
        (("{empty}",), "contains no text"),
        (("{binary}",), "not a text"),
        (("missing.txt",), "missing.txt"),
    ],
)
def test_bad_input_is_one_line(failed, two: list[str], text: Path, write, arguments: tuple[str, ...], message) -> None:
    names = {"text": text, "empty": write("", "empty.txt"), "binary": write(b"\x89PNG\r\n\x1a\n\0\0", "picture.png")}
    assert message in failed("score", *(one.format(**names) for one in arguments))


def test_invalid_bytes_of_standard_input_are_named(charlm, run: str) -> None:
    result = charlm("score", run, "-", status=1, stdin="café au lait\n".encode("latin-1") * 20)
    assert "byte 0xe9 at byte offset 3 is not valid utf-8" in result.stderr


def test_white_space_alone_is_scored_and_named(charlm, run: str, write) -> None:
    shown = charlm("score", run, write(" \n\n \n", "blank.txt"))
    assert "note: blank.txt: contains only white space" in shown.stderr.splitlines()

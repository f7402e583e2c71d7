"""`charlm sample` as a user types it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def lines(charlm):
    """The JSON lines of `charlm sample`."""
    return lambda *arguments: [json.loads(line) for line in charlm("sample", *arguments, "--jsonl").stdout.splitlines()]


def test_many_texts_are_the_same_in_a_batch(charlm, lines, run: str) -> None:
    options = [run, "--num", 7, "--seed", 3, "--length", 20, "--prefix", "the "]
    one, many = charlm("sample", *options).stdout, charlm("sample", *options, "--batch", 4).stdout
    assert one == many and len(one) > 7 * 20
    found = lines(*options, "--batch", 3)
    assert [text["seed"] for text in found] == [3, 4, 5, 6, 7, 8, 9]
    assert set(found[0]) == {"text", "prefix", "ended", "seed", "log_probability", "bits_per_character"}
    assert all(text["log_probability"] < 0 < text["bits_per_character"] for text in found)
    assert json.loads(charlm("sample", *options, "--json").stdout) == [
        text | {key: pytest.approx(text[key]) for key in ("log_probability", "bits_per_character")} for text in found
    ]


def test_texts_are_sorted_and_told_once(charlm, lines, run: str) -> None:
    options = [run, "--num", 20, "--batch", 20, "--seed", 1, "--length", 1]
    assert "note: left out 17 duplicate texts" in charlm("sample", *options, "--unique").stderr
    found = [text["text"] for text in lines(*options, "--unique")]
    assert len(found) == len(set(found)) < 20
    scores = [text["bits_per_character"] for text in lines(*options, "--sort", "score")]
    assert scores == sorted(scores) and len(scores) == 20


def test_the_prefix_comes_from_a_file_or_standard_input(charlm, run: str, write) -> None:
    prefix = write("the cat\n", "prefix.txt")
    options = [run, "--seed", 1, "--length", 20]
    expected = charlm("sample", *options, "--prefix", "the cat").stdout
    assert charlm("sample", *options, "--prefix-file", prefix).stdout == expected
    assert charlm("sample", *options, "--prefix", "-", stdin=b"the cat\r\n").stdout == expected
    without = charlm("sample", *options, "--prefix", "the cat", "--no-prefix-in-output").stdout
    assert "the cat" + without == expected


def test_an_unknown_character_becomes_the_nearest(charlm, failed, run: str) -> None:
    options = [run, "--seed", 1, "--length", 20]
    expected = charlm("sample", *options, "--prefix", "the cat").stdout
    found = charlm("sample", *options, "--prefix", "Thé CÅT", "--unknown", "nearest").stdout
    assert found == expected.replace("the cat", "Thé CÅT", 1)
    assert "'Ж' (U+0416) at position 1" in failed("sample", run, "--prefix", "aЖ", "--unknown", "nearest")


def test_controls_reach_the_text(charlm, run: str) -> None:
    def text(*options: object) -> str:
        return charlm("sample", run, "--seed", 1, "--length", 60, *options).stdout

    greedy = text("--temperature", 0)
    for option in (["--top-k", 1], ["--top-p", 1e-9], ["--min-p", 1]):
        assert text(*option) == greedy
    assert text("--typical", 0.3) != text()
    assert text("--repetition-penalty", 3) != text()
    assert text("--temperature", "0..0") == greedy != text("--temperature", "2.0,0")
    assert text("--bias", "a=1000") == "a" * 60 + "\n"
    assert "e" in text() and "e" not in text("--ban", "e")
    assert text("--bias", r"\n=1000")[1:] == "\n" * 59  # a text doesn't begin with a blank
    assert text("--beam", 1) == greedy


def test_a_search_writes_its_best(charlm, lines, run: str) -> None:
    found = lines(run, "--beam", 8, "--num", 3, "--length", 10, "--prefix", "the ")
    assert len(found) == 3 and all(text["seed"] is None for text in found)
    assert charlm("sample", run, "--beam", 8, "--length", 10, "--prefix", "the ").stdout == found[0]["text"] + "\n"


def test_what_is_all_banned_is_said(charlm, run: str, sentences: str) -> None:
    banned = [part for letter in sorted(set(sentences)) for part in ("--ban", letter.replace("\n", r"\n"))]
    shown = charlm("sample", run, "--seed", 4, *banned, "--min-length", 5)
    assert "note: the text of seed 4 ended because every token was banned" in shown.stderr
    assert shown.stdout == "\n"


def test_probabilities_are_coloured_where_there_is_colour(
    lines, charlm, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [run, "--seed", 1, "--length", 20, "--prefix", "the ", "--show-probs"]
    plain = charlm("sample", *options)
    assert "\x1b" not in plain.stdout and "--show-probs needs a terminal with colours" in plain.stderr
    assert plain.stdout == charlm("sample", *options[:-1]).stdout
    figures = lines(*options)
    assert len(figures[0]["log_probabilities"]) == 20
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    for batch in (1, 2):
        shown = charlm("sample", *options, "--batch", batch, "--num", batch)
        assert shown.stdout.startswith("the ") and re.search(r"\x1b\[38;5;\d+;48;5;\d+m", shown.stdout)
        assert shown.stdout.count("\x1b[0m") >= 15 * batch
        assert "probability of each character" in shown.stderr


BAD = {
    "temperature in words": ("--temperature warm", "--temperature is 'warm'; give a number such as 0.7, a ramp"),
    "a decimal comma": (
        "--temperature 0,7",
        "write a point, 0.7, and for a cycle of two temperatures 0.0,7.0",
    ),
    "a ramp with one end": ("--temperature 0.5..", "--temperature is '0.5..'"),
    "a ramp to infinity": ("--temperature 1..inf", "both ends of a ramp must be finite"),
    "a cycle below 0": ("--temperature 1,-1", "--temperature is -1; it must be at least 0"),
    "top-k": ("--top-k -1", "--top-k is -1"),
    "top-p": ("--top-p 0", "--top-p is 0; it must be above 0 and at most 1"),
    "min-p": ("--min-p 2", "--min-p is 2"),
    "typical": ("--typical 0", "--typical is 0"),
    "repetition": ("--repetition-penalty 0", "--repetition-penalty is 0"),
    "bias": ("--bias e", "--bias is 'e'; give a text and the nats to add"),
    "a bias too large": ("--bias e=1e9", "--bias of 'e' is 1e+09; it must be at least -1000 and at most 1000"),
    "a bias of no token": ("--bias Q=1", "--bias has 'Q', which is not a token of this model"),
    "ban": ("--ban=", "--ban is empty"),
    "length": ("--length -1", "--length is -1"),
    "two lengths": ("--until-eos --length 5", "pass one of them"),
    "least length": ("--min-length 9 --length 5", "--min-length is 9; it must be at most the length, 5"),
    "two prefixes": ("--prefix a --prefix-file b", "pass one of them"),
    "no such prefix": ("--prefix-file nowhere.txt", "nowhere.txt can't be read: No such file or directory"),
    "beam": ("--beam 2 --num 3", "--beam is 2; it must be at least 3"),
    "beam with a draw": ("--beam 2 --top-p 0.5", "--top-p shapes a random draw"),
    "two forms": ("--json --jsonl", "pass one of them"),
    "batch": ("--batch 0", "--batch is 0"),
}


@pytest.mark.parametrize(("options", "said"), BAD.values(), ids=BAD)
def test_a_bad_option_is_one_line(failed, run: str, options: str, said: str) -> None:
    assert said in failed("sample", run, *options.split())


def test_a_prefix_that_is_no_text_is_one_line(failed, run: str, write) -> None:
    path = write(b"caf\xe9", "prefix.txt")
    assert "is not valid UTF-8: byte 0xe9 at byte offset 3" in failed("sample", run, "--prefix-file", path)


def test_sample_is_the_same_for_the_same_seed(charlm, run: str) -> None:
    one, two, three = (charlm("sample", run, "--seed", seed, "--length", 50).stdout for seed in (1, 1, 2))
    assert one == two != three
    greedy = {charlm("sample", run, "--seed", seed, "--temperature", 0).stdout for seed in (1, 2)}
    assert len(greedy) == 1


def test_sample_json(charlm, run: str) -> None:
    values = json.loads(
        charlm("sample", run, "--num", 3, "--seed", 5, "--length", 9, "--prefix", "cat", "--json").stdout
    )
    assert [value["seed"] for value in values] == [5, 6, 7]
    assert all(value["text"].startswith("cat") and value["ended"] in ("eos", "length") for value in values)
    second = charlm("sample", run, "--seed", 6, "--length", 9, "--prefix", "cat").stdout
    assert second.rstrip("\n") == values[1]["text"].rstrip("\n")


def test_sample_stops_at_a_text_with_escapes(charlm, failed, run: str) -> None:
    text = charlm("sample", run, "--seed", 1, "--length", 500, "--stop", r"\n", "--prefix", "cat").stdout
    assert text.count("\n") == 1
    assert "the only escapes are \\n, \\r, \\t and \\\\" in failed("sample", run, "--stop", r"\x")


@pytest.mark.parametrize("unknown", ["skip", "replace"])
def test_an_unknown_character_is_skipped_or_replaced_when_told(charlm, run: str, unknown: str) -> None:
    assert charlm("sample", run, "--prefix", "cät", "--unknown", unknown, "--length", 3).stdout.startswith("cät")


def test_line_documents_are_sampled_one_a_line(charlm, write) -> None:
    names = write("".join(f"ann{n}\nbob{n}\n" for n in range(99)), "names.txt")
    charlm("train", names, "--documents", "line", "--steps", "200", "--hidden", "16", "--splits", "90/5/5")
    assert len(charlm("sample", "--num", 4, "--seed", 1).stdout.splitlines()) == 4


def test_a_reader_who_leaves_is_no_error(run: str) -> None:
    sampled = subprocess.run(
        f"{sys.executable} -m charlm sample {run} --length 100000 --num 50 | head -c 10",
        shell=True,
        capture_output=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        timeout=120,
    )
    assert len(sampled.stdout) == 10 and b"Traceback" not in sampled.stderr and b"rror" not in sampled.stderr


def test_writing_can_adapt_to_a_text(charlm, failed, trained_run, write) -> None:
    trained_run()
    letters = write("owls and owls and owls.\n" * 200, "letters.txt")
    model = Path("runs/a/model.safetensors").read_bytes()
    plain = charlm("sample", "--seed", "1", "--length", "200").stdout
    adapted = charlm("sample", "--seed", "1", "--length", "200", "--adapt", letters).stdout
    assert adapted != plain
    assert Path("runs/a/model.safetensors").read_bytes() == model
    assert "nowhere.txt" in failed("sample", "--adapt", "nowhere.txt")


def test_what_a_run_wrote_while_it_learnt_is_shown(charlm, trained_run) -> None:
    trained_run()
    shown = charlm("sample", "--checkpoints").stdout
    values = json.loads(charlm("sample", "--checkpoints", "--json").stdout)
    assert [one["step"] for one in values] == [12, 24, 36, 48, 60]
    for one in values:
        assert f"step {one['step']}, validation {one['nats_per_token']:.4f} nats per token" in shown
        assert one["text"].rstrip("\n") in shown


def test_a_prefix_file_may_have_a_byte_order_mark_and_decomposed_letters(charlm, write, train_run) -> None:
    train_run(source=write("the café at the end\n" * 60), steps=3)
    options = ["--length", 0]
    marked = write(b"\xef\xbb\xbfthe end", "prefix-bom.txt")
    assert charlm("sample", *options, "--prefix-file", marked).stdout == "the end\n"
    decomposed = write(b"the cafe\xcc\x81", "nfd.txt")
    assert charlm("sample", *options, "--prefix-file", decomposed).stdout == "the cafe\u0301\n"

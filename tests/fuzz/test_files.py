"""Mutated files: whatever is read from one is the same as before, or the reading ends with an error of one line.

A file that is signed anew after the mutation may mean something else, but no other error may come of it either.
`make fuzz` runs these tests for longer: CHARLM_FUZZ_SECONDS is the time for each. Every case is made from its number,
which a failure names, and CHARLM_FUZZ_SEED.
"""

import contextlib
import copy
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from charlm import api
from charlm.analysis.runs.advice import advice_on
from charlm.analysis.runs.curves import read_curves, read_samples
from charlm.cli.commands import info
from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import dataset as dataset_module
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.errors import CharlmError
from charlm.sampling import SampleConfig
from charlm.storage import digest
from charlm.storage.checkpoint import Checkpoint, load, weights_sha256
from charlm.storage.direction import Direction, DirectionFacts
from charlm.storage.runs import RunFolder
from charlm.training.state import restore

SECONDS = float(os.environ.get("CHARLM_FUZZ_SECONDS", "0.4"))
SEED = os.environ.get("CHARLM_FUZZ_SEED", "1")
TEXT = "".join(f"the cat number {number} and the dog\n" for number in range(60))
SHAPE = {"hidden_size": 6, "embedding_size": 5, "ngram_order": 3, "context_vectors": 8, "dropout": 0.1}
SETTINGS = {"steps": 40, "batch_size": 3, "seq_len": 9, "validations": 4, "averaging": 0.2, "threads": 1}

pytestmark = pytest.mark.usefixtures("one_thread")
Random = random.Random


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, a run of it that was stopped, and a direction in its model."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "text.txt").write_text(TEXT)
    stop = iter([False] * 24 + [True] * 9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHARLM_CACHE", str(folder / "cache"))
        api.train_run(
            folder / "text.txt",
            run=folder / "run",
            model=SHAPE,
            training=SETTINGS,
            auto=False,
            callbacks=api.Callbacks(should_stop=lambda: next(stop)),
        )
    facts = DirectionFacts(
        name="mood",
        kind="unit",
        layer=0,
        state="h",
        mean=0.25,
        scale=0.5,
        negative="bad",
        positive="good",
        model_sha256="0" * 64,
    )
    Direction(facts, np.eye(6, dtype=np.float32)[2]).save(folder / "mood.safetensors")
    return folder


# --- mutations


def cases(target: str) -> Iterator[tuple[str, Random]]:
    """The name and the random numbers of each case, until the time is over; at least three."""
    end, number = time.monotonic() + SECONDS, 0
    while number < 3 or time.monotonic() < end:
        name = f"case {number} of {target} with seed {SEED}"
        yield name, Random(name)
        number += 1
    print(f"{number:,} cases of {target}")


def mutated_bytes(content: bytes, chance: Random) -> bytes:
    """A content with one to three changes."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(changed) + 1)
        if chance.random() < 0.5:
            start = min(start, chance.randrange(2000))  # in the header
        stop = start + chance.choice([1, 1, 1, 2, 8, 100])
        change = chance.randrange(7)
        if change == 0:
            changed[start:stop] = b""
        elif change == 1:
            changed[start:start] = chance.randbytes(stop - start)
        elif change == 2:
            changed[start:stop] = bytes(len(changed[start:stop]))
        elif change == 3:
            changed[start:stop] = chance.randbytes(len(changed[start:stop]))
        elif change == 4 and chance.random() < 0.3:
            del changed[start:]
        elif start < len(changed):
            changed[start] ^= 1 << chance.randrange(8)
    return bytes(changed)


def strange_value(chance: Random) -> Any:
    deep: Any = []
    for _ in range(chance.choice([5, 300])):
        deep = [deep]
    values = [None, True, False, 0, 1, -1, 2, 7, 65_536, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.5, 1e-320, 1e308]
    values += [float("nan"), float("inf"), "", "x", "\0", "\n", "é" * 50, "[" * 99, [], {}, [1], [""], {"x": 1}, deep]
    return copy.deepcopy(chance.choice(values))


def mutated_json(value: Any, chance: Random) -> Any:
    """A JSON object with one to three values replaced, removed, or added anywhere."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        parent, key = chance.choice([*places(changed)])
        change = chance.randrange(8)
        if change == 0:
            del parent[key]
        elif change == 1 and isinstance(parent, dict):
            parent[chance.choice(["x", "", *map(str, parent)])] = strange_value(chance)
        elif change == 2 and isinstance(parent[key], int | float):
            parent[key] *= chance.choice([-1, 2, 1000, 10**300 if isinstance(parent[key], int) else 1e300])
        elif change == 3 and isinstance(parent[key], str):
            parent[key] = mutated_bytes(parent[key].encode("utf-8", "replace"), chance).decode("latin-1")
        else:
            parent[key] = strange_value(chance)
        if not changed:
            break
    return changed


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value, with each of its keys or indices."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def mutate_signed(path: Path, chance: Random, part: str | None = None) -> None:
    """Change the description of a model file, or a part of it, or a tensor, and sign the file anew."""
    with safetensors.safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["charlm"])
    tensors = safetensors.torch.load_file(path)
    for key in digest.KEYS:
        description.pop(key)
    if chance.random() < 0.25:
        mutate_tensor(tensors, chance)
    elif part is not None:
        description[part] = mutated_json(description[part], chance)
    else:
        description = mutated_json(description, chance)
    signed = digest.signed(description, tensors) if isinstance(description, dict) else description
    safetensors.torch.save_file(tensors, path, {"charlm": json.dumps(signed)})


def mutate_tensor(tensors: dict[str, torch.Tensor], chance: Random) -> None:
    name = chance.choice(sorted(tensors))
    tensor = tensors[name]
    change = chance.randrange(5)
    if change == 0:
        del tensors[name]
    elif change == 1:
        tensors[name] = tensor[: chance.randrange(len(tensor) + 1)].clone() if tensor.ndim else tensor.view(1)
    elif change == 2:
        tensors[name] = tensor.to(chance.choice([torch.float64, torch.int64, torch.uint8, torch.bfloat16]))
    elif tensor.numel():
        with contextlib.suppress(RuntimeError):  # a number that the type lacks
            value = chance.choice([0, 1, -1, 255, 2**31 - 1, -(2**31), 2**62, 1e30, float("nan"), float("inf")])
            tensor.view(-1)[chance.randrange(tensor.numel())] = value


# --- outcomes


def outcome(name: str, read: Callable[[], Any]) -> Any:
    """What a reading gives; None for a `CharlmError`, which must be of one line."""
    try:
        return read()
    except CharlmError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000, f"{name}: {error}"
        return None
    except Exception as error:
        raise AssertionError(f"{name} ended in {type(error).__name__}: {error}") from error


def same_or_error(name: str, read: Callable[[], Any], expected: Any) -> None:
    found = outcome(name, read)
    assert found is None or found == expected, f"{name}: another result without an error"


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
        assert [*info._rows(model)] and info._values(model)
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
        state, checkpoint, lengths = restore(run, config, torch.device("cpu"), 0.0)
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
    monkeypatch.setattr(dataset_module, "_VERIFIED_AT_ONCE", at_once)
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

"""Run folders with files that are missing, empty, swapped, links, folders or pipes: the same as before, or one line."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cases import Ended, Random, cases, json_of, require_finite, run_command

from charlm import api

pytestmark = pytest.mark.usefixtures("one_thread")
FILES = ["config.json", "metrics.jsonl", "samples.txt", "model.safetensors", "resume.safetensors"]
NEW = ["config.new.json", ".lock", ".model.safetensors.abcdefgh.tmp", "notes.txt", "model", "0"]
SHAPE = "--steps 2 --batch-size 2 --seq-len 8 --threads 1 --validations 1"
COMMANDS = [
    "eval one --json --threads 1",
    "sample one --seed 1 --length 9",
    "train --resume --run one",
    "info one",
    "runs",
]
OTHERS = [
    "eval",
    "eval one text.txt",
    "info",
    "info --json",
    "curves",
    "curves one two",
    "curves one --against time",
    "",
]
OTHERS += [
    "sample",
    "sample one --checkpoints",
    "train --resume",
    f"train text.txt --init-from one {SHAPE}",
    "fill --left a",
]
OTHERS += [
    f"train text.txt --run one --overwrite {SHAPE} --hidden 4",
    f"train text.txt --run one {SHAPE}",
    "compare one two",
]
OTHERS += [
    "runs --json",
    "train runs/one --steps 1",
    "sample one --copy-check --length 9 --seed 1",
    "curves one --json",
]
FIGURES = ("nats", "tokens", "characters", "bits_per_character", "unknown_characters")


@pytest.fixture(scope="session")
def two_runs(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two stopped runs of different shape and tokens, each of its own text."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(sound / "run", folder / "runs" / "one")
    (folder / "text.txt").write_text("1 owl, 2 owls and no cat\n" * 40)
    stop = iter([False] * 3 + [True] * 9)
    api.train_run(
        folder / "text.txt",
        run=folder / "runs" / "two",
        model={"hidden_size": 5, "embedding_size": 4, "ngram_order": 0},
        training={"steps": 6, "batch_size": 2, "seq_len": 8, "validations": 3, "threads": 1},
        auto=False,
        callbacks=api.Callbacks(should_stop=lambda: next(stop)),
    )
    return folder


def change(run: Path, other: Path, chance: Random) -> str:
    """Change one file of a run, and say how."""
    path = run / chance.choice([*FILES, *FILES, *NEW])
    kind = chance.randrange(8)
    content = path.read_bytes() if path.is_file() else b"x"
    remove(path)
    if kind == 1:
        path.touch()
    elif kind == 2:
        path.mkdir()
    elif kind == 3:
        path.mkdir()
        (path / "x").touch()
    elif kind == 4:
        path.symlink_to(
            chance.choice(["nothing", path.name, ".", "..", "config.json", other / path.name, "../../text.txt"])
        )
    elif kind == 5:
        os.mkfifo(path)
    elif kind == 6:
        shutil.copyfile(other / path.name if (other / path.name).is_file() else other / "config.json", path)
    elif kind == 7:
        path.write_bytes(content[: chance.randrange(len(content) + 1)])
    return (
        f"{path.name} {('missing', 'empty', 'a folder', 'a full folder', 'a link', 'a pipe', 'swapped', 'cut')[kind]}"
    )


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def figures(case: str, ended: Ended) -> tuple[Any, ...] | None:
    """The figures that `eval --json` has printed; None if it ended with an error."""
    return None if ended.status else tuple(json_of(case, ended.stdout)[key] for key in FIGURES)


def outside(work: Path) -> dict[Path, bytes]:
    """The files that a command on run one may not touch."""
    return {path: path.read_bytes() for path in [work / "text.txt", *sorted((work / "runs" / "two").iterdir())]}


def test_files_of_a_run_folder(two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A score or a sample is that of one of the two models, and no file outside of the run changes."""
    monkeypatch.chdir(two_runs)
    scores = {figures(run, run_command(run, f"eval {run} --json".split())) for run in ("one", "two")}
    samples = {run_command(run, f"sample {run} --seed 1 --length 9".split()).stdout for run in ("one", "two")}
    assert len(scores) == len(samples) == 2 and None not in scores
    for name, chance in cases("run folders"):
        work = tmp_path / "case"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(two_runs, work)
        monkeypatch.chdir(work)
        changes = [
            change(work / "runs" / "one", work / "runs" / "two", chance) for _ in range(chance.choice([1, 1, 2, 3]))
        ]
        before = outside(work)
        for command in (*chance.sample(COMMANDS, 2), chance.choice(OTHERS)):
            case = f"{name} ({', '.join(changes)})"
            ended = run_command(case, command.split())
            if command.startswith("eval one --json"):
                found = figures(case, ended)
                assert found is None or found in scores, f"{case}: another score without an error"
            elif command.startswith("sample one --seed"):
                assert ended.status or ended.stdout in samples, f"{case}: another sample without an error"
            elif not command.startswith("sample"):
                require_finite(case, ended)
            if " one" not in command:
                break
            assert outside(work) == before, f"{case}: {command} has changed another file"
            if command.startswith("train"):
                break

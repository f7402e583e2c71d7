"""`charlm train --seeds` as a user types it."""

import json
import statistics
from pathlib import Path


def test_the_runs_differ_in_their_seed_alone(charlm, text: Path, brief: list[str]) -> None:
    shown = charlm("train", text, "--seeds", "3", "--seed", "5", *brief, "--json")
    values = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [Path(value["run"]).name for value in values] == [f"{text.stem}-{number}" for number in (1, 2, 3)]
    configs = [json.loads(Path(value["run"], "config.json").read_text()) for value in values]
    assert [config["training"].pop("seed") for config in configs] == [5, 6, 7]
    assert configs[0] == configs[1] == configs[2]
    losses = [value["best"] for value in values]
    assert len(set(losses)) == 3
    summary = f"{statistics.mean(losses):.4f} nats per token, standard deviation {statistics.stdev(losses):.4f}"
    assert f"3 seeds: validation loss {summary}" in shown.stderr
    alone = charlm("train", text, "--seed", "6", "--run", "alone", *brief, "--json")
    assert json.loads(alone.stdout)["best"] == losses[1]
    again = charlm("train", text, "--seeds", "2", *brief, "--json").stdout.splitlines()
    assert [Path(json.loads(line)["run"]).name for line in again] == [f"{text.stem}-b-1", f"{text.stem}-b-2"]


def test_nothing_is_trained_if_a_folder_is_taken(charlm, text: Path, brief: list[str]) -> None:
    charlm("train", text, "--run", "novel-2", *brief)
    assert "novel-2 is not empty" in charlm("train", text, "--run", "novel", "--seeds", "2", *brief, status=1).stderr
    assert not Path("runs/novel-1").exists()
    charlm("train", text, "--run", "novel", "--seeds", "2", "--overwrite", *brief)
    assert Path("runs/novel-1/model.safetensors").exists()


def test_the_name_of_a_run_may_end_with_a_slash(charlm, text: Path, brief: list[str]) -> None:
    shown = charlm("train", text, "--run", "runs/novel/", "--seeds", "2", *brief, "--json").stdout
    assert [json.loads(line)["run"] for line in shown.splitlines()] == ["runs/novel-1", "runs/novel-2"]
    assert "--run is ''; give a name" in charlm("train", text, "--run", "", "--seeds", "2", status=1).stderr


def test_a_folder_in_another_encoding_gives_its_name(charlm, write, sentences: str, brief: list[str]) -> None:
    folder = write(sentences.encode("utf-16"), "old/a.txt").parent
    shown = charlm("train", folder, "--encoding", "utf-16", "--seeds", "2", *brief, "--json").stdout
    assert [json.loads(line)["run"] for line in shown.splitlines()] == ["runs/old-1", "runs/old-2"]
    charlm("train", folder, "--resume", "--run", "old-1", "--steps", "31")


def test_wrong_uses_are_one_line(charlm, text: Path, brief: list[str]) -> None:
    assert "--seeds is 1" in charlm("train", text, "--seeds", "1", *brief, status=1).stderr
    assert "standard input" in charlm("train", "-", "--seeds", "2", *brief, status=1, stdin=b"abc").stderr
    charlm("train", text, "--run", "a", *brief)
    assert "--resume continues" in charlm("train", "--resume", "--seeds", "2", status=1).stderr

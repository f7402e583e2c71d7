"""`charlm runs` as a user types it."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def three(charlm, text: Path, brief: list[str]) -> None:
    """Runs a, b and c, of which a has the most steps, and b was written to last."""
    charlm("train", text, "--run", "a", *brief)
    charlm("train", text, "--run", "c", *brief, "--steps", "12", "--seed", "7")
    shutil.copytree("runs/c", "runs/b")
    for run, moment in (("c", 1000), ("a", 2000), ("b", 3000)):
        for path in Path("runs", run).iterdir():
            os.utime(path, (moment, moment))


@pytest.mark.parametrize(
    ("sort", "order"), [("newest", "bac"), ("name", "abc"), ("steps", "abc"), ("time", "abc"), ("loss", "abc")]
)
def test_the_order(charlm, three: None, sort: str, order: str) -> None:
    values = json.loads(charlm("runs", "--sort", sort, "--json").stdout)
    found = "".join(value["run"] for value in values)
    if sort == "loss":
        losses = [value["bits_per_character"] for value in values]
        assert losses == sorted(losses) and sorted(found) == ["a", "b", "c"]
    else:
        assert found.replace("cb", "bc") == order


def test_the_figures_are_those_of_the_run(charlm, three: None, text: Path, records_of) -> None:
    values = {value["run"]: value for value in json.loads(charlm("runs", "--json").stdout)}
    found = values["c"]
    assert (found["text"], found["seed"], found["steps"], found["progress"]) == (text.name, 7, 12, 1.0)
    best = min(record["bits_per_character"] for record in records_of("runs/c", "validation"))
    assert found["bits_per_character"] == best and found["problem"] is None
    shown = charlm("runs").stdout
    assert f"{best:.4f}" in shown and "100%" in shown and "1970-01-01" in shown


def test_a_damaged_run_is_listed_with_what_is_wrong(charlm, three: None) -> None:
    Path("runs/a/config.json").write_text("{")
    Path("runs/b/metrics.jsonl").unlink()
    values = {value["run"]: value for value in json.loads(charlm("runs", "--json").stdout)}
    assert "is damaged" in values["a"]["problem"] and values["a"]["seed"] is None
    assert "metrics.jsonl" in values["b"]["problem"] and values["b"]["seed"] == 7
    assert "a/config.json" in "".join(charlm("runs").stdout.split())


def test_without_runs_it_says_how_to_make_one(charlm) -> None:
    result = charlm("runs")
    assert result.stdout == "" and "charlm train TEXT" in result.stderr
    assert json.loads(charlm("runs", "--json").stdout) == []


@pytest.mark.parametrize("width", [100, 80, 60, 40, 26])
def test_the_names_and_losses_fit_any_terminal(
    charlm, three: None, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    Path("runs/a").rename("runs/a-convolution")
    monkeypatch.setattr("charlm.cli.ui.console.WIDE", width)
    shown = charlm("runs").stdout
    assert all(len(line) <= width for line in shown.splitlines())
    names = "".join(line[:17].rstrip() for line in shown.splitlines())
    for name in ("a-convolution", "b", "c"):
        assert name in names if width > 26 else name[:8] in names
    for one in json.loads(charlm("runs", "--json").stdout):
        assert f"{one['bits_per_character']:.4f}" in shown


def test_a_folder_of_another_user_is_no_run(charlm, trained_run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_run("runs/mine")
    trained_run("runs/theirs")
    real = os.stat

    def refused(path, **settings):
        if "theirs/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, **settings)

    monkeypatch.setattr(os, "stat", refused)
    assert [one["run"] for one in json.loads(charlm("runs", "--json").stdout)] == ["mine"]
    assert "1 run in runs/" in charlm().stdout

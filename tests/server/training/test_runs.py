"""The runs that the page shows."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm.storage.lock import locked


def test_figures_come_as_they_are_written(served) -> None:
    first = served.json("GET", "/api/runs/a?offset=0")
    assert [one["kind"] for one in first["records"]].count("validation") == 5
    assert not first["training"] and first["settings"]["batch_size"] == 4
    metrics = Path("runs/a/metrics.jsonl")
    with metrics.open("a") as file:
        file.write(json.dumps({"kind": "step", "step": 99}) + "\n" + '{"kind": "ste')
    second = served.json("GET", f"/api/runs/a?offset={first['offset']}")
    assert second["records"] == [{"kind": "step", "step": 99}] and not second["restarted"]
    assert "settings" not in second  # they are sent once
    metrics.write_text("")
    assert served.json("GET", f"/api/runs/a?offset={second['offset']}")["restarted"]


def test_the_name_of_a_text_need_not_be_utf8(served, write, sentences: str, train_run) -> None:
    train_run("runs/b", source=write(sentences, os.fsdecode(b"caf\xe9.txt")), steps=2)
    texts = {one["run"]: one["text"] for one in served.json("GET", "/api/runs")["runs"]}
    assert texts["b"] == "caf?.txt"


def test_the_samples_of_a_run(served) -> None:
    assert [sample["step"] for sample in served.json("GET", "/api/runs/a/samples")][-1] == 60


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fa", "a%2f..%2fa", ".uploads", "b", "%00"])
def test_only_runs_are_shown_or_deleted(served, name: str) -> None:
    for method, rest in (("GET", ""), ("GET", "/samples"), ("DELETE", ""), ("POST", "/resume")):
        body = {} if method == "POST" else None
        assert served.ask(method, f"/api/runs/{name}{rest}", body)[0] in (404, 405)
    assert Path("runs/a/model.safetensors").exists()


def test_a_run_is_deleted_but_for_what_is_not_its_own(served, trained_run: Callable[..., Path]) -> None:
    assert served.ask("DELETE", "/api/runs/a", token=False)[0] == 403
    with locked(Path("runs/a")):
        assert served.ask("DELETE", "/api/runs/a")[0] == 409
    Path("runs/a/notes.md").write_text("mine")
    assert served.ask("DELETE", "/api/runs/a")[0] == 200
    assert [path.name for path in Path("runs/a").iterdir()] == ["notes.md"]


@pytest.mark.parametrize("name", ["../b", "a/b", ".hidden", "-x", "", "a"])
def test_a_new_run_is_named_within_the_folder(served, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(served.resources.trainings, "start", lambda run, arguments: started.append(run) or _Started())
    status, _ = served.ask("POST", "/api/runs", {"corpus": "python-docs", "run": name})
    assert (status, started) == ((200, ["python-docs"]) if name == "" else (409 if name == "a" else 400, []))


class _Started:
    def to_json(self) -> dict[str, str]:
        return {}

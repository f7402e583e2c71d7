"""A training in a process of its own."""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from charlm.server.training.process import TrainingRequest, main


def wait_for(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_a_training_is_started_stopped_and_continued(served, sentences: str) -> None:
    served.ask("POST", "/api/uploads?title=cats", sentences.encode())
    (upload,) = served.json("GET", "/api/corpora")["uploads"]
    assert served.ask("POST", "/api/runs", {"upload": upload, "minutes": 9}, token=False)[0] == 403
    assert served.json("POST", "/api/runs", {"upload": upload, "minutes": 9})["run"] == "cats"
    assert served.ask("POST", "/api/runs", {"upload": upload, "run": "second"})[0] == 409
    assert served.ask("POST", "/api/runs/a/stop", {})[0] == 409
    wait_for(lambda: Path("runs/cats/metrics.jsonl").exists() and Path("runs/cats/metrics.jsonl").stat().st_size > 0)
    shown = served.json("GET", "/api/runs/cats")
    assert shown["training"] and shown["own"]["settings"]["hidden_size"] and "will be seen" in shown["own"]["why"]
    assert any("the validation split has only" in note for note in shown["own"]["notes"])
    served.json("POST", "/api/runs/cats/stop", {})
    wait_for(lambda: not served.json("GET", "/api/runs/cats")["own"]["running"])
    assert served.json("GET", "/api/runs/cats")["own"]["problem"] is None
    assert Path("runs/cats/resume.safetensors").exists()
    served.json("POST", "/api/runs/cats/resume", {"minutes": 9})
    served.resources.trainings.close()  # as Ctrl-C does
    assert not served.json("GET", "/api/runs/cats")["training"]
    assert Path("runs/cats/resume.safetensors").exists()


def test_the_events_of_a_training(write, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    def events(request: TrainingRequest, status: int) -> list[dict]:
        assert main(request) == status
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # so that the environment stays as it is
    text = write("".join(f"name{number}\n" for number in range(999)), "error: names.txt")
    found = events(TrainingRequest(text=str(text), run="runs/a", steps=2), 0)
    assert {event["kind"] for event in found} == {"settings", "note"}
    assert any(event.get("message", "").startswith("error: names looks like a list of short lines") for event in found)
    (error,) = events(TrainingRequest(run="runs/a"), 1)
    assert error["kind"] == "error" and "is finished (2 of 2 steps)" in error["message"]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise ValueError('no\\nway')", "(way)"),
        ("import os; os.kill(os.getpid(), 9)", "(its process ended with status -9)"),
        ("import os; os.kill(os.getpid(), 2)", None),
        ("raise SystemExit(130)", None),
        ('print(\'{"kind": "error", "message": "the disk is full"}\')', "the disk is full"),
    ],
)
def test_a_training_that_fails_says_why(served, code: str, problem: str | None) -> None:
    from charlm.server.training.trainings import Training

    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=messages, text=True)
        training = Training(run="a", process=process, messages=messages)
        training.follow()
        shown = training.to_json()["problem"]
    assert shown is None if problem is None else problem in shown


def test_what_a_failed_training_advises_is_on_its_page(served) -> None:
    from charlm.server.training.trainings import Training

    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"], stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryFile() as messages:
        training = Training(run="a", process=process, messages=messages)
        training.follow()
    button = re.search(r'<button id="resume"[^>]*>([^<]+)<', served.ask("GET", "/train")[1].decode())
    assert button and training.problem and f"press {button[1]} to resume it" in training.problem


def test_a_training_is_asked_to_stop_once() -> None:
    from charlm.server.training.trainings import Training

    code = "import signal; signal.signal(2, lambda *_: print('{}', end='', flush=True)); print(flush=True); input()"
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=messages, text=True)
        assert process.stdin and process.stdout and process.stdout.readline()
        training = Training(run="a", process=process, messages=messages)
        assert not training.to_json()["stopping"]
        training.ask_to_stop()
        assert process.stdout.read(2) == "{}"
        training.ask_to_stop()
        assert process.communicate("\n")[0] == "" and training.to_json()["stopping"]

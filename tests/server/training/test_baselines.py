"""The baselines of a run."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from charlm import api
from charlm.storage.runs import RunFolder

pytest.importorskip("starlette", reason="the extra charlm-rnn[web] is not installed")

from charlm.server.errors import NotFoundError
from charlm.server.training import baselines
from charlm.server.training.baselines import measure

ENGLISH = "The cat sat on the mat, and the dog ran to the door. " * 60
FRENCH = "L\u2019été, la forêt dormait ; le chat aussi. " * 60


def test_a_run_from_another_model_is_compared_in_its_own_vocabulary(write, train_run) -> None:
    train_run("runs/english", source=write(ENGLISH, "english.txt"))
    text, training = write(FRENCH, "french.txt"), {"steps": 1}
    api.train_run(text, run="runs/own", training=training)
    api.train_run(text, run="runs/from", init_from="runs/english", training=training)
    own, continued = measure(RunFolder(Path("runs/own"))), measure(RunFolder(Path("runs/from")))
    assert set(own) == {"ngram", "xz"} and continued == own


def test_a_measurement_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch, trained_run) -> None:
    outputs = iter([None, {"xz": 2.0}])
    monkeypatch.setattr(baselines, "_output", lambda command, job: next(outputs))
    run, known = RunFolder(trained_run("runs/a")), baselines.Baselines()
    assert [known.of(run, None) for _ in range(3)] == [{}, {"xz": 2.0}, {"xz": 2.0}]  # type: ignore[arg-type]
    run.config.unlink()
    with pytest.raises(NotFoundError, match="no run 'a'"):
        known.of(run, None)  # type: ignore[arg-type]


def test_runs_are_measured_side_by_side(monkeypatch: pytest.MonkeyPatch, served, trained_run) -> None:
    trained_run("runs/b")
    both = threading.Barrier(2, timeout=30)
    monkeypatch.setattr(baselines, "_output", lambda command, job: {"xz": float(both.wait() >= 0)})
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: served.json("GET", f"/api/runs/{name}/baselines"), ("a", "b"))
        assert list(found) == [{"xz": 1.0}] * 2

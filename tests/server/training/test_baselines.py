"""The baselines of a run."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from charlm import api
from charlm.storage.runs import RunFolder

pytest.importorskip("starlette", reason="the extra charlm-rnn[web] is not installed")

from charlm.server.errors import NotFoundError
from charlm.server.training.baselines import Baselines, measure
from charlm.server.workers import AbandonedError, Job

ENGLISH = "The cat sat on the mat, and the dog ran to the door. " * 60
FRENCH = "L\u2019été, la forêt dormait ; le chat aussi. " * 60


def test_a_run_from_another_model_is_compared_in_its_own_vocabulary(write, train_run) -> None:
    train_run("runs/english", source=write(ENGLISH, "english.txt"))
    text, training = write(FRENCH, "french.txt"), {"steps": 1}
    api.train_run(text, run="runs/own", training=training)
    api.train_run(text, run="runs/from", init_from="runs/english", training=training)
    own, continued = measure(RunFolder(Path("runs/own"))), measure(RunFolder(Path("runs/from")))
    assert set(own) == {"ngram", "xz"} and continued == own


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a shell script the Python that measures."""

    def python(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return python


@pytest.fixture
def job() -> Iterator[Job]:
    loop = asyncio.new_event_loop()
    yield Job(loop)
    loop.close()


def test_a_measurement_that_fails_is_made_again(python, job: Job, trained_run) -> None:
    run, known = RunFolder(trained_run("runs/a")), Baselines()
    python("exit 1")
    assert known.of(run, job) == {}
    python("""echo '{"xz": 2.0}'""")
    assert known.of(run, job) == {"xz": 2.0}
    python("exit 1")
    assert known.of(run, job) == {"xz": 2.0}
    run.config.unlink()
    with pytest.raises(NotFoundError, match="no run 'a'"):
        known.of(run, job)


def test_a_measurement_ends_when_nobody_waits_for_it(python, job: Job, trained_run) -> None:
    python("exec sleep 1000")
    job.abandon()
    with pytest.raises(AbandonedError):
        Baselines().of(RunFolder(trained_run("runs/a")), job)


def test_runs_are_measured_side_by_side(python, served, trained_run, tmp_path: Path) -> None:
    """The measurement of each run ends once that of the other has begun."""
    trained_run("runs/b")
    begun = tmp_path / "begun"
    begun.mkdir()
    python(f"""for run; do :; done
        touch "{begun}/$run"
        until [ -e "{begun}/a" ] && [ -e "{begun}/b" ]; do sleep 0.05; done
        echo '{{"xz": 1.0}}'""")
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: served.json("GET", f"/api/runs/{name}/baselines"), ("a", "b"))
        assert list(found) == [{"xz": 1.0}] * 2

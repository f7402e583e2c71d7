"""The list of runs reads a run only when its files have changed, and a run that grows not too often."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm.analysis.runs.listing import list_runs, summarise
from charlm.server.training import summaries
from charlm.server.training.summaries import Summaries


class Clock:
    """Seconds, of which each reading of a run takes one."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def slow(*arguments):
        clock.seconds += 1
        return summarise(*arguments)

    monkeypatch.setattr(summaries, "summarise", slow)
    return clock


def test_a_run_that_rests_is_read_once(trained_run: Callable[..., Path], clock: Clock) -> None:
    trained_run("runs/a")
    found = Summaries(clock)
    assert found.listed() == list_runs()
    clock.seconds += 10_000
    assert found.listed() == list_runs() and clock.seconds == 10_001
    for file in Path("runs/a").iterdir():
        file.unlink()
    assert found.listed() == []


def test_a_run_that_grows_is_read_for_a_small_share_of_the_time(trained_run: Callable[..., Path], clock: Clock) -> None:
    metrics = trained_run("runs/a") / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:-1]))
    found = Summaries(clock)
    (before,) = found.listed()
    metrics.write_text("".join(lines))
    clock.seconds += 199
    assert found.listed() == [before]
    clock.seconds += 1
    assert found.listed() == list_runs() != [before]


def test_an_upload_is_named_by_its_title(trained_run: Callable[..., Path]) -> None:
    """A text of a terminal keeps the name of its file."""
    config = trained_run("runs/a") / "config.json"
    content = json.loads(config.read_text())
    shutil.copytree("runs/a", "runs/b")
    for run, text in (("a", str(Path("runs/.uploads/My notes, v1.2.txt").resolve())), ("b", "notes.txt")):
        Path("runs", run, "config.json").write_text(json.dumps(content | {"text": [text]}))
    assert {one.run: one.text for one in Summaries().listed()} == {"a": "My notes, v1.2", "b": "notes.txt"}

import json
from pathlib import Path

import pytest

from charlm.analysis.runs.curves import Curve, read_curves, read_samples
from charlm.errors import RunError
from charlm.storage.runs import RunFolder


def test_the_curves_are_those_of_the_records(trained_run) -> None:
    trained_run()
    run = RunFolder(Path("runs/a"))
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    validations = [line for line in lines if line["kind"] == "validation"]
    found = read_curves(run).curves
    assert found["loss"] == Curve(x=tuple(r["step"] for r in steps), y=tuple(r["loss"] for r in steps))
    assert found["gradient norm"].y == tuple(r["gradient_norm"] for r in steps)
    assert found["learning rate"].y == tuple(r["learning_rate"] for r in steps)
    assert found["validation"].x == tuple(r["step"] for r in validations)
    assert found["validation"].y == tuple(r["nats_per_token"] for r in validations)
    tokens = read_curves(run, "tokens").curves
    assert tokens["loss"].x == tuple(r["tokens"] for r in steps)
    assert tokens["validation"].x[-1] == steps[-1]["tokens"]
    assert read_curves(run, "time").curves["loss"].x == tuple(r["seconds"] for r in steps)
    run.metrics.write_text(run.metrics.read_text() + '{"kind": "st')  # it is going on
    assert read_curves(run).curves == found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no step has been logged yet"),
        ("{}\n{}\n", "damaged at line 1"),
        ('{"kind": "step", "step": "x"}\n', "damaged"),
        ('{"kind": "step", "step": 10}\n', "damaged"),
        ("[1]\n" * 2, "damaged at line 1"),
    ],
)
def test_damaged_records_are_an_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(RunError, match=message):
        read_curves(RunFolder(tmp_path))


def test_a_run_without_records_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it has no metrics"):
        read_curves(RunFolder(tmp_path))


def test_the_samples_of_a_run_come_back(trained_run) -> None:
    trained_run()
    run = RunFolder(Path("runs/a"))
    found = read_samples(run)
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    scores = {line["step"]: line["nats_per_token"] for line in lines if line["kind"] == "validation"}
    assert {one.step: one.nats_per_token for one in found} == scores
    assert "".join(f"--- step {one.step}\n{one.text}\n\n" for one in found) == run.samples.read_text()
    run.samples.write_text("")
    with pytest.raises(RunError, match="has not reached its first validation"):
        read_samples(run)
    run.samples.unlink()
    with pytest.raises(RunError, match="can't be read"):
        read_samples(run)

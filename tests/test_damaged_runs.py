"""A damaged metrics.jsonl or config.json is an error of one line."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from charlm import api
from charlm.analysis.runs.advice import advice_on
from charlm.analysis.runs.curves import read_curves, read_samples
from charlm.analysis.runs.metrics import StepRecord, ValidationRecord, read_metrics
from charlm.errors import CharlmError, RunError
from charlm.storage.runs import RunFolder
from charlm.training.events import StepEvent, ValidationEvent

OLD = Path(__file__).parent / "data" / "v0.1"
HUGE = 10**400


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run of a text that is there."""
    shutil.copytree(OLD / "finished", tmp_path / "finished")
    run = RunFolder(tmp_path / "finished")
    run.config.write_text(json.dumps(json.loads(run.config.read_text()) | {"text": [str(OLD / "text.txt")]}))
    return run


def test_records_have_the_fields_of_events() -> None:
    for record, event in ((StepRecord, StepEvent), (ValidationRecord, ValidationEvent)):
        assert [field.name for field in fields(record)] == [field.name for field in fields(event)]


@pytest.mark.parametrize("kind", ["step", "validation"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", "x"),
        ("step", None),
        ("step", HUGE),
        ("step", 0.5),
        ("step", -1),
        ("seconds", None),
        ("seconds", HUGE),
        ("seconds", float("inf")),
        ("tokens", []),
        ("kind", "other"),
        ("kind", []),
        ("kind", None),
        ("more", 1),
    ],
)
def test_a_record_that_does_not_fit_is_an_error_that_names_its_line(
    run: RunFolder, kind: str, key: str, value: object
) -> None:
    lines = run.metrics.read_text().splitlines()
    number = next(number for number, line in enumerate(lines) if json.loads(line)["kind"] == kind)
    lines[number] = json.dumps(json.loads(lines[number]) | {key: value})
    run.metrics.write_text("\n".join(lines) + "\n")
    for read in (read_curves, read_samples):
        with pytest.raises(RunError, match=f"metrics.jsonl is damaged at line {number + 1}: ") as error:
            read(run)
        assert "\n" not in str(error.value) and len(str(error.value)) < len(str(run.metrics)) + 400
    assert advice_on(run.path) is None


@pytest.mark.parametrize("key", ["epoch", "progress", "loss", "learning_rate"])
@pytest.mark.parametrize("value", ["x", [], HUGE, float("nan"), True])
def test_a_number_of_a_step_that_does_not_fit_is_an_error(run: RunFolder, key: str, value: object) -> None:
    lines = run.metrics.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {key: value})
    run.metrics.write_text("\n".join(lines))
    with pytest.raises(RunError, match=r"metrics.jsonl is damaged at line 1: StepRecord"):
        read_curves(run)


def test_null_is_what_was_not_finite(run: RunFolder) -> None:
    lines = run.metrics.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"loss": None})
    run.metrics.write_text("\n".join(lines))
    assert len(read_curves(run).curves["loss"].x) == len(read_metrics(run).steps) - 1


@pytest.mark.parametrize("step", ["1" * 5000, "-1", "٣"])
def test_a_sample_of_no_step_is_part_of_the_one_before(run: RunFolder, step: str) -> None:
    before = read_samples(run)
    run.samples.write_text(run.samples.read_text() + f"--- step {step}\nmore\n\n")
    after = read_samples(run)
    assert after[:-1] == before[:-1] and step in after[-1].text


@pytest.mark.parametrize(
    "change",
    [
        {"text": [1]},
        {"text": []},
        {"text": ["\0"]},
        {"text": ["x" * 5000]},
        {"text": ["[" * 100]},
        {"model": {"hidden_size": HUGE}},
        {"model": {"hidden_size": "x"}},
        {"model": []},
        {"init_from": 1},
        {"training": {"steps": HUGE}},
        {"training": {"minutes": HUGE}},
        {"corpus": {"splits": [HUGE, 5, 5]}},
        {"corpus": {"splits": [90, 10]}},
        {"corpus": {"encoding": "no-such-encoding"}},
        {"corpus": {"encoding": "\0"}},
        {"corpus": {"encoding": "rot13"}},
        {"tokenizer": {"vocab_size": HUGE}},
    ],
)
def test_a_configuration_that_does_not_fit_is_an_error(run: RunFolder, change: dict) -> None:
    run.config.write_text(json.dumps(json.loads(run.config.read_text()) | change))
    with pytest.raises(CharlmError) as error:
        api.resume_run(run.path)
    assert "\n" not in str(error.value)

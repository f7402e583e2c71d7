import itertools
import math
import time
from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.api import Callbacks
from charlm.errors import TrainingDivergedError
from charlm.storage.checkpoint import load
from charlm.training.events import SampleEvent, StepEvent, ValidationEvent


def test_training_lowers_the_loss_and_keeps_the_best(train_run) -> None:
    seen = []
    result = train_run(steps=200, callbacks=Callbacks(on_event=seen.append))
    validations = [record for record in seen if isinstance(record, ValidationEvent)]
    steps = [record for record in seen if isinstance(record, StepEvent)]
    assert validations[-1].nats_per_token < 0.95 * validations[0].nats_per_token
    best = min(validations, key=lambda record: record.nats_per_token)
    assert (result.outcome.best, result.outcome.best_step) == (best.nats_per_token, best.step)
    kept = load(Path("runs/a/model.safetensors"))
    assert kept.training.step == best.step
    assert kept.training.validation_nats_per_token == best.nats_per_token
    assert [record.step for record in steps] == list(range(10, 201, 10))
    assert all(record.clipped_norm <= 1.0 + 1e-6 and record.clipped_norm <= record.gradient_norm for record in steps)
    assert sum(isinstance(record, SampleEvent) for record in seen) == len(validations) == 5


def test_bfloat16_learns_as_single_precision_does(train_run, write, weights_of, same_weights, records_of) -> None:
    source = write("it was the best of times, it was the worst of times. " * 60)
    for precision in ("float32", "bfloat16"):
        train_run(f"runs/{precision}", source=source, precision=precision, optimizer="muon")
    assert not same_weights(weights_of("runs/float32"), weights_of("runs/bfloat16"))
    single, brief = (
        [record["loss"] for record in records_of(f"runs/{precision}", "step")] for precision in ("float32", "bfloat16")
    )
    assert single == pytest.approx(brief, rel=0.02)
    assert single[-1] < 0.9 * single[0]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(train_run, weights_of, same_weights) -> None:
    for run, seed in (("runs/a", 1), ("runs/b", 1), ("runs/c", 2)):
        train_run(run, seed=seed, steps=20)
    assert same_weights(weights_of("runs/a"), weights_of("runs/b"))
    assert not same_weights(weights_of("runs/a"), weights_of("runs/c"))


@pytest.mark.parametrize(("length", "last"), [({"steps": 23}, 23), ({"steps": None, "epochs": 0.5}, None)])
def test_a_run_ends_where_its_length_says(train_run, length: dict, last: int | None) -> None:
    outcome = train_run(**length).outcome
    if last is not None:
        assert outcome.step == last
    else:
        assert 0.5 <= outcome.epoch < 0.52


def test_a_run_by_the_clock_ends_and_counts_its_sessions(
    train_run, stop_after, records_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on by a twentieth of a second whenever it is read."""
    seconds = itertools.count(step=0.05)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    first = train_run(steps=None, minutes=1, callbacks=stop_after(40)).outcome
    assert not first.finished and 5 < first.seconds < 50
    started = next(seconds)
    outcome = api.resume_run("runs/a").outcome
    assert outcome.finished and outcome.seconds == pytest.approx(60, abs=3)
    assert next(seconds) - started == pytest.approx(60 - first.seconds, abs=3)
    rates = [record["learning_rate"] for record in records_of("runs/a", "step")]
    assert rates[-1] < 0.1 * max(rates)


def test_the_schedule_begins_with_the_first_step_however_long_reading_took(train_run, stop_after, records_of) -> None:
    started = time.monotonic() - 600.0
    train_run(steps=None, minutes=20, warmup=0.5, callbacks=stop_after(10), started=started)
    (rate,) = [record["learning_rate"] for record in records_of("runs/a", "step")]
    assert 0 < rate < 0.1 * 3e-3


def test_clipping_bounds_the_step_and_zero_turns_it_off(train_run, records_of) -> None:
    train_run("runs/clipped", clip=0.01, steps=20)
    train_run("runs/free", clip=0, steps=20)
    assert all(r["clipped_norm"] == pytest.approx(0.01) for r in records_of("runs/clipped", "step"))
    assert all(r["clipped_norm"] == r["gradient_norm"] > 0.01 for r in records_of("runs/free", "step"))


def test_a_loss_that_is_not_a_number_never_reaches_the_weights(
    train_run, weights_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    entropy, calls = torch.nn.functional.cross_entropy, []

    def broken(*arguments, **settings):
        calls.append(1)
        return entropy(*arguments, **settings) * (math.nan if len(calls) == 8 else 1.0)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", broken)
    with pytest.raises(TrainingDivergedError, match="the loss became nan"):
        train_run(validations=1)
    assert all(torch.isfinite(value).all() for value in weights_of("runs/a").values())
    assert not Path("runs/a/model.safetensors").exists()


def test_without_a_validation_split_the_latest_is_kept(
    text: Path, small_shape: dict, weights_of, same_weights, caplog
) -> None:
    config = {"steps": 20, "batch_size": 4, "seq_len": 16}
    result = api.train_run(
        text, run="runs/a", corpus={"splits": (100, 0, 0)}, training=config, model=small_shape, auto=False
    )
    assert result.outcome.best is None
    assert same_weights(weights_of("runs/a"), weights_of("runs/a", "model.safetensors"))
    assert "no validation split" in caplog.text


@pytest.mark.parametrize("content", ["x", "hello", "hello\nhello\n"])
def test_a_text_shorter_than_a_window_shrinks_the_window_and_says_so(
    small_shape: dict, write, caplog, content: str
) -> None:
    config = {"steps": 5}
    api.train_run(
        write(content), run="runs/a", corpus={"splits": (100, 0, 0)}, training=config, model=small_shape, auto=False
    )
    assert "fewer than --seq-len 32; shorter sequences are used" in caplog.text


def test_a_run_that_is_interrupted_at_its_last_step_has_finished(train_run, stop_after) -> None:
    assert train_run(steps=5, callbacks=stop_after(5)).outcome.finished

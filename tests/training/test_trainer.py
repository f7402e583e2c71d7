import json
import math
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from conftest import TEXT
from small_runs import SMALL, records, same, stop_after, train, weights

from charlm import api, journal, trainer, validation
from charlm.api import Hooks
from charlm.config import TokenizerConfig, TrainConfig
from charlm.errors import CharlmError, ModelFileError, TrainingDivergedError
from charlm.storage.checkpoint import load
from charlm.storage.resume_file import load_resume_file, save_resume_file
from charlm.training.events import SampleEvent, StepEvent, ValidationEvent


@pytest.mark.parametrize("documents", ["file", "line"])
@pytest.mark.parametrize(
    "tokenizer", [TokenizerConfig(), TokenizerConfig(kind="subword", vocab_size=320)], ids=lambda config: config.kind
)
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(write, tokenizer: TokenizerConfig, documents: str) -> None:
    text = write(TEXT)
    settings = TrainConfig(steps=60, batch_size=4, seq_len=16, validations=5)
    kinds = {"corpus": {"documents": documents}, "model": SMALL, "tokenizer": tokenizer, "training": settings}
    api.train(text, run="runs/whole", **kinds)
    api.train(text, run="runs/broken", hooks=stop_after(17), **kinds)
    assert not same(weights("runs/broken"), weights("runs/whole"))
    outcome = api.resume("runs/broken", hooks=stop_after(20)).outcome
    assert (outcome.finished, outcome.step) == (False, 37)
    assert api.resume("runs/broken").outcome.step == 60
    assert same(weights("runs/broken"), weights("runs/whole"))
    assert same(weights("runs/broken", "model.safetensors"), weights("runs/whole", "model.safetensors"))
    clock = {"seconds": None}
    assert [r | clock for r in records("runs/broken")] == [r | clock for r in records("runs/whole")]
    assert Path("runs/broken/samples.txt").read_text() == Path("runs/whole/samples.txt").read_text()


def test_what_a_killed_process_wrote_after_its_last_save_is_cut_off(write) -> None:
    train(write(TEXT), hooks=stop_after(25))
    with open("runs/a/metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "step": 30}\n{"kind": "st')
    api.resume("runs/a")
    steps = [record["step"] for record in records("runs/a") if record["kind"] == "step"]
    assert steps == [10, 12, 20, 24, 30, 36, 40, 48, 50, 60]  # every ten, and at every validation


def test_training_lowers_the_loss_and_keeps_the_best(write) -> None:
    seen = []
    result = train(write(TEXT), steps=200, hooks=Hooks(observer=seen.append))
    validations = [record for record in seen if isinstance(record, ValidationEvent)]
    steps = [record for record in seen if isinstance(record, StepEvent)]
    assert validations[-1].nats_per_token < 0.95 * validations[0].nats_per_token
    best = min(validations, key=lambda record: record.nats_per_token)
    assert (result.outcome.best, result.outcome.best_step) == (best.nats_per_token, best.step)
    kept = load(Path("runs/a/model.safetensors"))
    assert kept.training["step"] == best.step
    assert kept.training["validation_nats_per_token"] == best.nats_per_token
    assert [record.step for record in steps] == list(range(10, 201, 10))
    assert all(record.clipped_norm <= 1.0 + 1e-6 and record.clipped_norm <= record.gradient_norm for record in steps)
    assert sum(isinstance(record, SampleEvent) for record in seen) == len(validations) == 5


def test_bfloat16_learns_as_single_precision_does_and_resumes_bit_for_bit(write) -> None:
    text = write("it was the best of times, it was the worst of times. " * 60)
    assert train(text, run="runs/single", precision="float32", optimizer="muon").outcome.best is not None
    train(text, run="runs/brief", precision="bfloat16", optimizer="muon", averaging=0.3)
    train(text, run="runs/broken", precision="bfloat16", optimizer="muon", averaging=0.3, hooks=stop_after(23))
    api.resume("runs/broken")
    for name in ("model.safetensors", "resume.safetensors"):
        assert same(weights("runs/brief", name), weights("runs/broken", name))
    whole, broken = (
        load_resume_file(Path(run) / "resume.safetensors")[1].tensors for run in ("runs/brief", "runs/broken")
    )
    assert whole.keys() == broken.keys() and same(whole, broken)
    single, brief = weights("runs/single"), weights("runs/brief")
    assert not same(single, brief)
    losses = [[one["loss"] for one in records(run) if one["kind"] == "step"] for run in ("runs/single", "runs/brief")]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_the_model_that_is_kept_has_the_mean_of_the_last_weights(write) -> None:
    """With a horizon of 1 it is the plain mean of the weights after every step."""
    text = write(TEXT)
    seen: list[dict[str, torch.Tensor]] = []
    models: list[torch.nn.Module] = []

    def look(record) -> None:
        if isinstance(record, SampleEvent):  # after every step: as many validations as steps
            seen.append({name: value.clone() for name, value in models[0].state_dict().items()})

    hooks = Hooks(prepared=lambda run, dataset, model, config: models.append(model), observer=look)
    train(text, hooks=hooks, steps=12, validations=12, averaging=1.0)
    average = {
        name.removeprefix("average/"): value
        for name, value in load_resume_file(Path("runs/a/resume.safetensors"))[1].tensors.items()
        if name.startswith("average/")
    }
    assert len(seen) == 12 and average.keys() == seen[0].keys()
    for name, value in average.items():
        torch.testing.assert_close(value, torch.stack([weights[name] for weights in seen]).mean(0))


@pytest.mark.parametrize("damage", ["missing", "not finite", "of another shape"])
def test_an_average_that_is_damaged_is_an_error(write, damage: str) -> None:
    train(write(TEXT), averaging=0.2, hooks=stop_after(7))
    path = Path("runs/a/resume.safetensors")
    checkpoint, resume = load_resume_file(path)
    name = "average/output"
    if damage == "missing":
        del resume.tensors[name]
    else:
        value = resume.tensors[name]
        resume.tensors[name] = value * float("nan") if damage == "not finite" else value[:1]
    save_resume_file(path, checkpoint, resume)
    with pytest.raises(ModelFileError, match="is damaged"):
        api.resume("runs/a")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(write) -> None:
    text = write(TEXT)
    for run, seed in (("runs/a", 1), ("runs/b", 1), ("runs/c", 2)):
        train(text, run, seed=seed, steps=20)
    assert same(weights("runs/a"), weights("runs/b"))
    assert not same(weights("runs/a"), weights("runs/c"))


@pytest.mark.parametrize(("length", "last"), [({"steps": 23}, 23), ({"steps": None, "epochs": 0.5}, None)])
def test_a_run_ends_where_its_length_says(write, length: dict, last: int | None) -> None:
    outcome = train(write(TEXT), **length).outcome
    if last is not None:
        assert outcome.step == last
    else:
        assert 0.5 <= outcome.epoch < 0.52


def test_a_run_by_the_clock_ends_and_counts_its_sessions(write) -> None:
    text = write(TEXT)
    result = train(text, steps=None, minutes=0.05, hooks=stop_after(5))
    assert result.outcome.seconds < 3
    outcome = api.resume("runs/a").outcome
    assert 2.9 <= outcome.seconds < 12
    with open("runs/a/metrics.jsonl") as file:
        rates = [record["learning_rate"] for record in map(json.loads, file) if record["kind"] == "step"]
    assert rates[-1] < 0.001


@pytest.mark.parametrize(("share", "expected"), [(0.01, 64), (0.3, 384), (10.0, 640)])
def test_validations_score_a_share_of_what_is_trained_on(
    write, monkeypatch: pytest.MonkeyPatch, share: float, expected: int
) -> None:
    """Between two of five validations lie 20 steps of 64 tokens."""
    monkeypatch.setattr(validation, "_TOKENS", (64, 640))
    monkeypatch.setattr(validation, "_SHARE", share)
    train(write(TEXT), steps=100)
    _, state = load_resume_file(Path("runs/a/resume.safetensors"))
    assert state.values["validation_tokens"] == pytest.approx(expected, rel=0.05)


def test_the_schedule_begins_with_the_first_step_however_long_reading_took(write) -> None:
    hooks = replace(stop_after(10), started=time.monotonic() - 600.0)
    train(write(TEXT), steps=None, minutes=20, warmup=0.5, hooks=hooks)
    (rate,) = [record["learning_rate"] for record in records("runs/a") if record["kind"] == "step"]
    assert 0 < rate < 0.1 * 3e-3


def test_clipping_bounds_the_step_and_zero_turns_it_off(write) -> None:
    text = write(TEXT)
    train(text, "runs/clipped", clip=0.01, steps=20)
    train(text, "runs/free", clip=0, steps=20)
    assert all(r["clipped_norm"] == pytest.approx(0.01) for r in records("runs/clipped") if r["kind"] == "step")
    assert all(r["clipped_norm"] == r["gradient_norm"] > 0.01 for r in records("runs/free") if r["kind"] == "step")


@pytest.mark.parametrize("sparing", [0, 1e9])
def test_a_loss_that_explodes_ends_the_run_and_keeps_the_best(write, sparing: float, monkeypatch) -> None:
    monkeypatch.setattr(journal, "_SPARING", sparing)  # whether the best has been written before
    with pytest.raises(TrainingDivergedError) as error:
        train(write(TEXT), learning_rate=10.0, clip=0, steps=400, validations=100, model=SMALL | {"cell": "rnn"})
    assert "training diverged: the loss became" in str(error.value)
    assert "lower --learning-rate (it is 10) or set --clip 1" in str(error.value)
    with pytest.raises(TrainingDivergedError, match=r"lower --learning-rate \(it is 10\)(;|$)"):
        train(write(TEXT), "runs/b", learning_rate=10.0, clip=1000, steps=400, model=SMALL | {"cell": "rnn"})
    assert "is kept in runs/a/model.safetensors" in str(error.value)
    assert all(torch.isfinite(value).all() for value in weights("runs/a", "model.safetensors").values())


def test_a_loss_that_is_not_a_number_never_reaches_the_weights(write, monkeypatch: pytest.MonkeyPatch) -> None:
    entropy, calls = trainer.F.cross_entropy, []

    def broken(*arguments, **settings):
        calls.append(1)
        return entropy(*arguments, **settings) * (math.nan if len(calls) == 8 else 1.0)

    monkeypatch.setattr(trainer.F, "cross_entropy", broken)
    with pytest.raises(TrainingDivergedError, match="the loss became nan"):
        train(write(TEXT), validations=1)
    assert all(torch.isfinite(value).all() for value in weights("runs/a").values())
    assert not Path("runs/a/model.safetensors").exists()


def test_files_that_are_slow_to_write_are_written_seldom(write, monkeypatch: pytest.MonkeyPatch) -> None:
    text, written = write(TEXT), []
    train(text, "runs/often")
    plain_save = journal.save
    monkeypatch.setattr(journal, "save", lambda path, checkpoint: (written.append(path), plain_save(path, checkpoint)))
    monkeypatch.setattr(journal, "_SPARING", 0)
    train(text, "runs/each")
    assert len(written) > 2
    written.clear()
    monkeypatch.setattr(journal, "_SPARING", 1e9)
    train(text, "runs/seldom")
    assert len(written) == 1
    for name in ("model.safetensors", "resume.safetensors"):
        assert same(weights("runs/seldom", name), weights("runs/often", name))


def test_without_a_validation_split_the_latest_is_kept(write, caplog) -> None:
    config = TrainConfig(steps=20, batch_size=4, seq_len=16)
    result = api.train(write(TEXT), run="runs/a", corpus={"splits": (100, 0, 0)}, training=config, model=SMALL)
    assert result.outcome.best is None
    assert same(weights("runs/a"), weights("runs/a", "model.safetensors"))
    assert "no validation split" in caplog.text


@pytest.mark.parametrize("content", ["x", "hello", "hello\nhello\n"])
def test_a_text_shorter_than_a_window_shrinks_the_window_and_says_so(write, caplog, content: str) -> None:
    config = TrainConfig(steps=5)
    api.train(write(content), run="runs/a", corpus={"splits": (100, 0, 0)}, training=config, model=SMALL)
    assert "fewer than one window of 32; the window is shrunk to fit" in caplog.text


def test_a_run_that_is_interrupted_before_its_first_validation_keeps_a_model(write) -> None:
    text = write(TEXT)
    train(text, "runs/whole", validations=1)
    result = train(text, hooks=stop_after(3), validations=1)
    assert (result.outcome.finished, result.outcome.best_step) == (False, 3)
    assert same(weights("runs/a", "model.safetensors"), weights("runs/a"))
    api.resume("runs/a")
    assert same(weights("runs/a", "model.safetensors"), weights("runs/whole", "model.safetensors"))


def test_a_run_that_is_interrupted_at_its_last_step_has_finished(write) -> None:
    assert train(write(TEXT), steps=5, hooks=stop_after(5)).outcome.finished


def test_the_figures_beside_a_validation_are_those_of_its_moment(write) -> None:
    seen = []
    train(write(TEXT), steps=25, validations=4, hooks=Hooks(observer=seen.append))
    steps = [record for record in seen if isinstance(record, StepEvent)]
    assert [record.step for record in steps] == [7, 10, 13, 19, 20, 25]
    for before, record in pairwise(seen):
        assert not isinstance(record, ValidationEvent) or before.step == record.step


def test_a_full_disk_ends_the_run_and_keeps_the_last_save(write, monkeypatch: pytest.MonkeyPatch) -> None:
    text = write(TEXT)
    train(text, hooks=stop_after(10))
    before = Path("runs/a/resume.safetensors").read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(CharlmError, match="No space left on device"):
            api.resume("runs/a")
    assert Path("runs/a/resume.safetensors").read_bytes() == before
    assert api.resume("runs/a").outcome.finished

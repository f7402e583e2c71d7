"""What `--resume` and `--overwrite` do with run folders that are incomplete, finished or diverged."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.errors import CharlmError, RunError, TrainingDivergedError
from charlm.storage import lock
from charlm.storage.checkpoint import load, save
from charlm.storage.resume_file import load_resume_file, save_resume_file
from charlm.storage.runs import newest_resumable
from charlm.training import validation

OLD = Path(__file__).parent / "data" / "v0.1"
LONG_VALIDATION = {"splits": (60, 30, 10)}  # long enough to calibrate on
EXPLODING = {"steps": 400, "learning_rate": 10.0, "clip": 0.0}
MODEL, RESUME = Path("runs/a/model.safetensors"), Path("runs/a/resume.safetensors")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


# --- files that are missing


def test_a_run_without_its_resume_file_never_overwrites_its_model(train_run, stop_after) -> None:
    train_run(callbacks=stop_after(25))
    RESUME.unlink()
    before = files(Path("runs/a"))
    with pytest.raises(RunError) as error:
        api.resume_run("runs/a")
    assert str(error.value) == (
        "runs/a/resume.safetensors is missing, so run runs/a can't be continued; restore that file, or start a new run "
        "from the model with `charlm train TEXT --init-from runs/a`"
    )
    assert files(Path("runs/a")) == before


def test_an_old_run_that_is_finished_and_has_no_resume_file_keeps_its_model(tmp_path: Path) -> None:
    run = tmp_path / "finished"
    shutil.copytree(OLD / "finished", run)
    before = files(run)
    with pytest.raises(RunError, match=r"resume\.safetensors is missing"):
        api.resume_run(run, text=OLD / "text.txt", lengths={"steps": 100})
    assert files(run) == before


def test_a_run_without_its_model_keeps_one_again(train_run, stop_after, weights_of, same_weights, caplog) -> None:
    train_run("runs/whole")
    train_run(callbacks=stop_after(25))
    MODEL.unlink()
    assert api.resume_run("runs/a").outcome.best_step == api.load("runs/whole").checkpoint.training.step
    assert same_weights(weights_of("runs/a", MODEL.name), weights_of("runs/whole", MODEL.name))
    assert "model.safetensors is missing; the next validation saves a new model" in caplog.text
    MODEL.unlink()
    assert api.resume_run("runs/a").outcome.best_step == 60
    with pytest.raises(RunError, match="is finished"):
        api.resume_run("runs/a")


def test_a_run_without_its_configuration_says_so(train_run, stop_after) -> None:
    train_run(callbacks=stop_after(5))
    Path("runs/a/config.json").unlink()
    with pytest.raises(RunError, match=r"config.json is missing; restore it, or .* --init-from runs/a`"):
        api.resume_run("runs/a")


def test_the_newest_run_to_resume_is_one_that_was_killed_before_its_first_save(train_run, stop_after) -> None:
    with pytest.raises(RunError, match="no trained run"):
        newest_resumable()
    train_run("runs/saved", callbacks=stop_after(2))
    assert newest_resumable() == Path("runs/saved")
    train_run("runs/finished_without_resume", steps=2)
    Path("runs/finished_without_resume/resume.safetensors").unlink()
    assert newest_resumable() == Path("runs/saved")
    train_run("runs/begun", callbacks=stop_after(2))
    for name in ("resume.safetensors", "model.safetensors"):
        Path("runs/begun", name).unlink()
    Path("runs/begun/config.json").touch()
    assert newest_resumable() == Path("runs/begun")


# --- files that are left behind


def test_the_next_start_removes_what_a_killed_save_left(train_run, stop_after, monkeypatch: pytest.MonkeyPatch) -> None:
    train_run(callbacks=stop_after(5))
    left = [f".{name}.abc_1234.tmp" for name in ("model.safetensors", "resume.safetensors", "config.json")]
    others = [".model.safetensors.tmp", ".notes.txt.abc_1234.tmp", "model.safetensors.abc_1234.tmp", "notes.txt"]
    for name in left + others:
        Path("runs/a", name).write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr(lock, "fcntl", None)  # a system without locks: another process may be writing
        api.resume_run("runs/a", callbacks=stop_after(5))
    assert all(Path("runs/a", name).exists() for name in left + others)
    api.resume_run("runs/a", callbacks=stop_after(5))
    assert [name for name in left + others if Path("runs/a", name).exists()] == others


def test_a_folder_with_nothing_but_leftovers_is_room_enough(train_run) -> None:
    Path("runs/a").mkdir(parents=True)
    for name in (".lock", ".config.json.abcdefgh.tmp"):
        Path("runs/a", name).write_text("")
    assert train_run(steps=2).outcome.finished
    assert not Path("runs/a/.config.json.abcdefgh.tmp").exists()


# --- finished runs


def test_a_finished_run_is_told_in_plain_figures(train_run, monkeypatch: pytest.MonkeyPatch) -> None:
    train_run(steps=None, epochs=0.1)
    for lengths, message in (
        ({}, r"run runs/a is finished \(0\.1\d* of 0\.1 epochs\); to train longer pass a larger --epochs"),
        ({"steps": 3}, r"run runs/a is finished \(\d+ of 3 steps\); to train longer pass a larger --steps"),
        ({"minutes": 1e-7}, r"run runs/a is finished \([\d.e-]{3,8} of 1e-07 minutes\); to train longer pass a larger"),
    ):
        with pytest.raises(RunError) as error:
            api.resume_run("runs/a", lengths=lengths)
        assert re.match(message, str(error.value)), str(error.value)
    assert api.resume_run("runs/a", lengths={"epochs": 0.2}).outcome.epoch >= 0.2


def test_a_run_that_stopped_at_its_new_length_is_validated_and_calibrated(train_run, stop_after, records_of) -> None:
    train_run(callbacks=stop_after(17), corpus=LONG_VALIDATION)
    assert [record["step"] for record in records_of("runs/a", "validation")] == [12]
    outcome = api.resume_run("runs/a", lengths={"steps": 17}).outcome
    assert (outcome.finished, outcome.step) == (True, 17)
    assert [record["step"] for record in records_of("runs/a", "validation")] == [12, 17]
    assert load(MODEL).training.temperature is not None


def old_form(*, calibrated: bool) -> None:
    """Make the files of the run what charlm 0.1 wrote."""
    model = load(MODEL)
    checkpoint, resume = load_resume_file(RESUME)
    score = model.training.validation_nats_per_token if calibrated else resume.values["best"]
    facts = replace(model.training, temperature=None, validation_nats_per_token=score)
    save(MODEL, replace(model, training=facts))
    del resume.values["validated_step"]
    save_resume_file(RESUME, checkpoint, resume)


def test_a_calibrated_run_of_an_older_version_stays_as_it_is(train_run) -> None:
    train_run(corpus=LONG_VALIDATION)
    old_form(calibrated=True)
    before = MODEL.read_bytes()
    with pytest.raises(RunError, match="is finished"):
        api.resume_run("runs/a")
    assert MODEL.read_bytes() == before


def test_a_run_of_an_older_version_that_was_killed_before_calibration_is_calibrated(
    train_run, weights_of, same_weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_run("runs/whole", corpus=LONG_VALIDATION)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(validation, "best_temperature", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        train_run(corpus=LONG_VALIDATION)
    old_form(calibrated=False)
    assert api.resume_run("runs/a").outcome.finished
    assert same_weights(weights_of("runs/a", MODEL.name), weights_of("runs/whole", MODEL.name))


def test_a_calibrated_model_is_not_calibrated_again(train_run, weights_of, same_weights) -> None:
    """A run that is continued and finds no better model."""
    train_run(corpus=LONG_VALIDATION, steps=40, learning_rate=0.05)
    before, facts = weights_of("runs/a", MODEL.name), load(MODEL).training
    outcome = api.resume_run("runs/a", lengths={"steps": 50}, learning_rate=5.0).outcome
    assert outcome.best_step == facts.step <= 40 and outcome.best == facts.validation_nats_per_token
    assert same_weights(weights_of("runs/a", MODEL.name), before)


# --- diverged runs


def diverge(train_run, small_shape: dict, **fields: object) -> str:
    with pytest.raises(TrainingDivergedError) as error:
        train_run(model=small_shape | {"cell": "rnn"}, **(EXPLODING | fields))
    return str(error.value)


def test_the_message_of_a_diverged_run_has_the_command_that_continues_it(charlm, train_run, small_shape: dict) -> None:
    message = diverge(train_run, small_shape, steps=40)
    command = message.partition("`")[2].partition("`")[0]
    assert command == "charlm train --resume --run runs/a --learning-rate 0.003 --clip 1"
    assert message.endswith(f"set --clip 1: `{command}` continues from step 0")
    assert "40 steps" in charlm(*shlex.split(command)[1:]).stderr
    training = json.loads(Path("runs/a/config.json").read_text())["training"]
    assert (training["learning_rate"], training["clip"], training["steps"]) == (0.003, 1.0, 40)
    rates = [json.loads(line).get("learning_rate", 0) for line in Path("runs/a/metrics.jsonl").read_text().splitlines()]
    assert 0 < max(rates) <= 0.003
    assert all(torch.isfinite(weight).all() for weight in load(MODEL).model.state_dict().values())


@pytest.mark.parametrize(("warmup", "earliest", "latest"), [(0.02, 1, 5), (0.5, 6, 25)])
def test_a_run_that_diverges_is_not_saved_once_its_loss_is_bad(
    train_run, small_shape: dict, monkeypatch: pytest.MonkeyPatch, warmup: float, earliest: int, latest: int
) -> None:
    """Otherwise it would diverge again at any rate."""
    monkeypatch.setattr("charlm.training.run_log.SAVE_EVERY", 0.0)
    monkeypatch.setattr("charlm.training.run_log.SAVE_SPACING", 0.0)
    message = diverge(train_run, small_shape, warmup=warmup)
    saved = int(re.search(r"continues from step (\d+)", message)[1])
    assert load_resume_file(RESUME)[1].values["step"] == saved and earliest <= saved <= latest
    assert api.resume_run("runs/a", lengths={"steps": saved + 30}, learning_rate=0.003, clip=1).outcome.finished


def test_a_run_that_diverges_soon_after_it_was_resumed_may_begin_from_its_best_model(
    train_run, small_shape: dict, stop_after
) -> None:
    train_run(model=small_shape | {"cell": "rnn"}, steps=400, validations=100, callbacks=stop_after(25))
    with pytest.raises(TrainingDivergedError) as error:
        api.resume_run("runs/a", learning_rate=10.0, clip=0)
    fresh = (
        "continues from step 25, and if that diverges too, start a new run from the best model with --init-from runs/a"
    )
    assert f"{fresh}; the best model, from step " in str(error.value)


def test_only_lengths_rate_and_clipping_can_change(charlm, train_run, stop_after) -> None:
    def failed(*arguments: object) -> str:
        return charlm(*arguments, status=1).stderr

    train_run(callbacks=stop_after(5))
    for option in (("--seed", 2), ("--batch-size", 8), ("--hidden", 8), ("--init-from", "reviews"), ("--overwrite",)):
        assert "--resume continues with the run's own settings; besides TEXT (the same text), only --run," in failed(
            "train", "--resume", "--learning-rate", "0.001", *option
        )
    assert "--learning-rate is 11; it must be above 0" in failed("train", "--resume", "--learning-rate", "11")
    charlm("train", "--resume", "--learning-rate", "0.001", "--clip", "0.5", "--steps", "20")
    training = json.loads(Path("runs/a/config.json").read_text())["training"]
    assert (training["learning_rate"], training["clip"], training["steps"]) == (0.001, 0.5, 20)
    assert "is finished (20 of 20 steps)" in failed("train", "--resume", "--learning-rate", "0.002")


# --- runs that are replaced


def test_a_run_that_diverges_leaves_no_older_model_beside_its_configuration(
    charlm, train_run, small_shape: dict, sentences: str, write
) -> None:
    train_run(steps=5)
    other = write(sentences.replace("cat", "rat"), "other.txt")
    diverge(train_run, small_shape, source=other, overwrite=True, validations=1)
    assert not MODEL.exists()
    assert "no model 'a'" in charlm("eval", "a", status=1).stderr
    charlm("train", "--resume", "--run", "a", "--learning-rate", "0.003", "--clip", "1", "--steps", "40")
    charlm("eval", "a")


def test_an_older_run_stays_until_the_one_that_replaces_it_is_saved(
    train_run, text: Path, monkeypatch: pytest.MonkeyPatch, weights_of, same_weights, small_shape: dict
) -> None:
    """Also if the new one begins from the model of the old one."""
    train_run(steps=5)
    before = files(Path("runs/a"))
    settings = {"run": "runs/a", "init_from": "runs/a", "overwrite": True, "auto": False}

    def full(*arguments: object) -> None:
        raise CharlmError("no space left")

    with monkeypatch.context() as patch, pytest.raises(CharlmError):
        patch.setattr("charlm.training.run_log.save_resume", full)
        api.train_run(text, training={"steps": 9}, **settings)
    after = files(Path("runs/a"))
    assert all(after[name] == before[name] for name in ("config.json", MODEL.name, RESUME.name))
    assert api.load("runs/a").evaluate(split="valid").nats > 0
    shutil.copytree("runs/a", "runs/b")
    assert api.resume_run("runs/a").outcome.step == 9
    assert not Path("runs/a/config.new.json").exists()
    assert json.loads(Path("runs/a/config.json").read_text())["training"]["steps"] == 9
    api.train_run(text, training={"steps": 9}, **settings | {"run": "runs/b", "init_from": "runs/b"})
    assert same_weights(weights_of("runs/a"), weights_of("runs/b"))

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.api import Callbacks
from charlm.errors import CharlmError, TrainingDivergedError
from charlm.training import run_log
from charlm.training.events import SampleEvent, StepEvent, ValidationEvent


def test_what_a_killed_process_wrote_after_its_last_save_is_cut_off(train_run, stop_after, records_of) -> None:
    train_run(callbacks=stop_after(25))
    with open("runs/a/metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "step": 30}\n{"kind": "st')
    api.resume_run("runs/a")
    steps = [record["step"] for record in records_of("runs/a", "step")]
    assert steps == [10, 12, 20, 24, 30, 36, 40, 48, 50, 60]  # every ten, and at every validation


@pytest.mark.parametrize("sparing", [0, 1e9])
def test_a_loss_that_explodes_ends_the_run_and_keeps_the_best(
    train_run, small_shape: dict, weights_of, sparing: float, monkeypatch
) -> None:
    monkeypatch.setattr(run_log, "SAVE_SPACING", sparing)  # whether the best has been written before
    with pytest.raises(TrainingDivergedError) as error:
        train_run(learning_rate=10.0, clip=0, steps=400, validations=100, model=small_shape | {"cell": "rnn"})
    assert "training diverged: the loss became" in str(error.value)
    assert "lower --learning-rate (it is 10) or set --clip 1" in str(error.value)
    with pytest.raises(TrainingDivergedError, match=r"lower --learning-rate \(it is 10\): `charlm train"):
        train_run("runs/b", learning_rate=10.0, clip=1000, steps=400, model=small_shape | {"cell": "rnn"})
    assert "is kept in runs/a/model.safetensors" in str(error.value)
    assert all(torch.isfinite(value).all() for value in weights_of("runs/a", "model.safetensors").values())


def test_files_that_are_slow_to_write_are_written_seldom(
    train_run, weights_of, same_weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    train_run("runs/often")
    plain_save = run_log.save
    monkeypatch.setattr(run_log, "save", lambda path, checkpoint: (written.append(path), plain_save(path, checkpoint)))
    monkeypatch.setattr(run_log, "SAVE_SPACING", 0)
    train_run("runs/each")
    assert len(written) > 2
    written.clear()
    monkeypatch.setattr(run_log, "SAVE_SPACING", 1e9)
    train_run("runs/seldom")
    assert len(written) == 1
    for name in ("model.safetensors", "resume.safetensors"):
        assert same_weights(weights_of("runs/seldom", name), weights_of("runs/often", name))


def test_a_run_that_is_interrupted_before_its_first_validation_keeps_a_model(
    train_run, stop_after, weights_of, same_weights
) -> None:
    train_run("runs/whole", validations=1)
    result = train_run(callbacks=stop_after(3), validations=1)
    assert (result.outcome.finished, result.outcome.best_step) == (False, 3)
    assert same_weights(weights_of("runs/a", "model.safetensors"), weights_of("runs/a"))
    api.resume_run("runs/a")
    assert same_weights(weights_of("runs/a", "model.safetensors"), weights_of("runs/whole", "model.safetensors"))


def test_a_validation_comes_with_the_figures_of_its_step(train_run) -> None:
    seen = []
    train_run(steps=25, validations=4, callbacks=Callbacks(on_event=seen.append))
    steps = [record for record in seen if isinstance(record, StepEvent)]
    assert [record.step for record in steps] == [7, 10, 13, 19, 20, 25]
    pairs = [(before.step, record.step) for before, record in pairwise(seen) if isinstance(record, ValidationEvent)]
    assert pairs == [(7, 7), (13, 13), (19, 19), (25, 25)]


def test_a_full_disk_ends_the_run_and_keeps_the_last_save(
    train_run, stop_after, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_run(callbacks=stop_after(10))
    before = Path("runs/a/resume.safetensors").read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(CharlmError, match="No space left on device"):
            api.resume_run("runs/a")
    assert Path("runs/a/resume.safetensors").read_bytes() == before
    assert api.resume_run("runs/a").outcome.finished


def test_a_sample_of_short_documents_is_ten_of_them_and_of_a_long_one_one(
    train_run, write, stop_after, weights_of, same_weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[SampleEvent] = []
    callbacks = Callbacks(on_event=lambda event: seen.append(event) if isinstance(event, SampleEvent) else None)
    names = {"source": write("anna\nbert\ncleo\n" * 40, "names.txt"), "corpus": {"documents": "line"}}
    train_run("runs/names", callbacks=callbacks, **names)
    assert [len(event.texts) for event in seen] == [10] * 5
    assert seen[-1].text == "\n".join(seen[-1].texts)
    samples = Path("runs/names/samples.txt").read_text()
    assert samples == "".join(f"--- step {event.step}\n{event.text}\n\n" for event in seen)
    train_run("runs/broken", callbacks=stop_after(25), **names)
    api.resume_run("runs/broken")
    assert Path("runs/broken/samples.txt").read_text() == samples
    seen.clear()
    train_run("runs/sentences", callbacks=callbacks)
    assert [len(event.texts) for event in seen] == [1] * 5
    seen.clear()
    monkeypatch.setattr(run_log, "generate_many", lambda *_, **__: ())
    train_run("runs/silent", callbacks=callbacks, **names)
    assert [event.texts for event in seen] == [()] * 5
    assert same_weights(*(weights_of(run) for run in ("runs/silent", "runs/names")))


def test_texts_of_several_lines_have_a_blank_line_between_them() -> None:
    assert SampleEvent(step=1, texts=("a", "b")).text == "a\nb"
    assert SampleEvent(step=1, texts=("a\nb", "c")).text == "a\nb\n\nc"

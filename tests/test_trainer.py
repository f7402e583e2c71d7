import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TEXT

from charlm import api
from charlm.api import Hooks, Trained
from charlm.checkpoint import load
from charlm.config import TokenizerConfig, TrainConfig
from charlm.errors import CharlmError, ConfigError, CorpusError, ModelFileError, RunError, TrainingDivergedError
from charlm.records import SampleRecord, StepRecord, ValidationRecord

SMALL = {"hidden_size": 16, "embedding_size": 8, "dropout": 0.3, "num_layers": 2}


def train(
    text: Path, run: str = "runs/a", hooks: Hooks | None = None, model=None, tokenizer=None, **settings
) -> Trained:
    config = TrainConfig(**({"steps": 60, "batch_size": 4, "seq_len": 16, "validations": 5} | settings))
    return api.train(
        text, run=run, training=config, model=SMALL if model is None else model, tokenizer=tokenizer, hooks=hooks
    )


def weights(run: str, name: str = "resume.safetensors") -> dict[str, torch.Tensor]:
    return load(Path(run) / name).model.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def stop_after(steps: int) -> Hooks:
    """Hooks that interrupt a run after so many steps."""
    left = iter([False] * (steps - 1) + [True] * 1000)
    return Hooks(should_stop=lambda: next(left))


def records(run: str) -> list[dict]:
    return [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]


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
    assert steps == [10, 20, 30, 40, 50, 60]


def test_training_lowers_the_loss_and_keeps_the_best(write) -> None:
    seen = []
    result = train(write(TEXT), steps=200, hooks=Hooks(observer=seen.append))
    validations = [record for record in seen if isinstance(record, ValidationRecord)]
    steps = [record for record in seen if isinstance(record, StepRecord)]
    assert validations[-1].nats_per_token < 0.95 * validations[0].nats_per_token
    best = min(validations, key=lambda record: record.nats_per_token)
    assert (result.outcome.best, result.outcome.best_step) == (best.nats_per_token, best.step)
    kept = load(Path("runs/a/model.safetensors"))
    assert kept.training["step"] == best.step
    assert kept.training["validation_nats_per_token"] == best.nats_per_token
    assert [record.step for record in steps] == list(range(10, 201, 10))
    assert all(record.clipped_norm <= 1.0 + 1e-6 and record.clipped_norm <= record.gradient_norm for record in steps)
    assert sum(isinstance(record, SampleRecord) for record in seen) == len(validations) == 5


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
    result = train(text, steps=None, minutes=0.02, hooks=stop_after(5))
    assert result.outcome.seconds < 1.2
    outcome = api.resume("runs/a").outcome
    assert 1.2 <= outcome.seconds < 6
    with open("runs/a/metrics.jsonl") as file:
        rates = [record["learning_rate"] for record in map(json.loads, file) if record["kind"] == "step"]
    assert rates[-1] < 0.001


def test_the_schedule_begins_with_the_first_step_however_long_reading_took(write) -> None:
    hooks = replace(stop_after(10), started=time.monotonic() - 600.0)
    train(write(TEXT), steps=None, minutes=20, warmup=0.5, hooks=hooks)
    (rate,) = [record["learning_rate"] for record in records("runs/a") if record["kind"] == "step"]
    assert 0 < rate < 0.1 * 3e-3


def test_a_finished_run_goes_on_when_it_is_given_more(write) -> None:
    train(write(TEXT), steps=20)
    assert api.resume("runs/a").outcome.step == 20
    assert api.resume("runs/a", lengths={"steps": 30}).outcome.step == 30
    with pytest.raises(ConfigError, match="--steps is 0"):
        api.resume("runs/a", lengths={"steps": 0})


def test_clipping_bounds_the_step_and_zero_turns_it_off(write) -> None:
    text = write(TEXT)
    train(text, "runs/clipped", clip=0.01, steps=20)
    train(text, "runs/free", clip=0, steps=20)
    assert all(r["clipped_norm"] == pytest.approx(0.01) for r in records("runs/clipped") if r["kind"] == "step")
    assert all(r["clipped_norm"] == r["gradient_norm"] > 0.01 for r in records("runs/free") if r["kind"] == "step")


def test_a_loss_that_explodes_ends_the_run_and_keeps_the_best(write) -> None:
    with pytest.raises(TrainingDivergedError) as error:
        train(write(TEXT), learning_rate=10.0, clip=0, steps=400, validations=100, model=SMALL | {"cell": "rnn"})
    assert "training diverged: the loss became" in str(error.value)
    assert "lower --learning-rate (it is 10) or set --clip 1" in str(error.value)
    assert "is kept in runs/a/model.safetensors" in str(error.value)
    assert all(torch.isfinite(value).all() for value in weights("runs/a", "model.safetensors").values())


def test_a_loss_that_is_not_a_number_never_reaches_the_weights(write, monkeypatch: pytest.MonkeyPatch) -> None:
    from charlm import trainer

    entropy, calls = trainer.F.cross_entropy, []

    def broken(*arguments, **settings):
        calls.append(1)
        return entropy(*arguments, **settings) * (math.nan if len(calls) == 8 else 1.0)

    monkeypatch.setattr(trainer.F, "cross_entropy", broken)
    with pytest.raises(TrainingDivergedError, match="the loss became nan"):
        train(write(TEXT), validations=1)
    assert all(torch.isfinite(value).all() for value in weights("runs/a").values())
    assert not Path("runs/a/model.safetensors").exists()


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


def test_a_run_folder_is_never_overwritten_unasked(write) -> None:
    text = write(TEXT)
    train(text, steps=5)
    before = Path("runs/a/model.safetensors").read_bytes()
    with pytest.raises(RunError, match="not empty; go on with --resume, start anew with --overwrite"):
        train(text, steps=5, seed=2)
    assert Path("runs/a/model.safetensors").read_bytes() == before
    Path("runs/a/notes.txt").write_text("mine")
    api.train(text, run="runs/a", training=TrainConfig(steps=5, seed=2), model=SMALL, overwrite=True)
    assert Path("runs/a/model.safetensors").read_bytes() != before
    assert Path("runs/a/notes.txt").read_text() == "mine"


def test_runs_get_names_of_their_own(write) -> None:
    text = write(TEXT, "my novel.txt")
    config = TrainConfig(steps=2)
    assert api.train(text, training=config, model=SMALL).run == Path("runs/my novel")
    assert api.train(text, training=config, model=SMALL).run == Path("runs/my novel-2")


def test_a_folder_that_cannot_be_written_is_an_error(write, tmp_path: Path) -> None:
    text = write(TEXT)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file; name another folder"):
        train(text, str(tmp_path / "file"))
    with pytest.raises(RunError, match=r"can't write to .*; name another folder with --run"):
        train(text, str(tmp_path / "file" / "run"))


def test_a_bad_option_leaves_no_folder(write) -> None:
    for model in ({"cell": "gruu"}, {"hidden_size": 0}, {"num_layers": -1}):
        with pytest.raises(ConfigError):
            train(write(TEXT), model=model)
    with pytest.raises(CorpusError):
        train(write(""))
    assert not Path("runs").exists()


def test_resume_needs_the_same_text(write) -> None:
    text = write(TEXT)
    train(text, hooks=stop_after(10))
    text.write_text(TEXT.replace("cat", "rat"))
    with pytest.raises(CorpusError, match="not the one this run was begun with"):
        api.resume("runs/a")
    moved = write(TEXT, "elsewhere.txt")
    assert api.resume("runs/a", text=moved).outcome.finished


def test_resume_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in runs/nothing"):
        api.resume("nothing")


@pytest.mark.parametrize("damage", ["cut", "model", "config"])
def test_a_damaged_run_is_an_error(write, damage: str) -> None:
    train(write(TEXT), steps=5)
    folder = Path("runs/a")
    if damage == "cut":
        (folder / "resume.safetensors").write_bytes((folder / "resume.safetensors").read_bytes()[:-100])
    elif damage == "model":
        (folder / "resume.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    else:
        (folder / "config.json").write_text("{")
    with pytest.raises((ModelFileError, RunError)) as error:
        api.resume("runs/a")
    assert "\n" not in str(error.value)


def test_a_run_killed_before_its_first_save_begins_again(write) -> None:
    text = write(TEXT)
    train(text, "runs/whole")
    train(text, "runs/early", hooks=stop_after(3))
    Path("runs/early/resume.safetensors").unlink()
    assert api.resume("runs/early").outcome.finished
    assert same(weights("runs/early"), weights("runs/whole"))


def test_fine_tuning_begins_with_the_models_weights_and_tokenizer(write, caplog) -> None:
    train(write(TEXT), "runs/first")
    other = write("A cat and a dog, a zebra and the owl.\n" * 50, "other.txt")
    tiny = TrainConfig(steps=1, learning_rate=1e-12, weight_decay=0)
    api.train(other, run="runs/second", init_from="runs/first", training=tiny)
    first, second = load(Path("runs/first/model.safetensors")), load(Path("runs/second/model.safetensors"))
    for name, value in first.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], value, msg=name)
    assert first.tokenizer.fingerprint() == second.tokenizer.fingerprint()
    assert "characters of the training split are not in the vocabulary" in caplog.text
    with pytest.raises(ConfigError, match="has hidden_size 16, not 32"):
        api.train(other, run="runs/third", init_from="runs/first", model={"hidden_size": 32}, training=tiny)
    with pytest.raises(ConfigError, match="brings its own tokenizer"):
        api.train(other, run="runs/third", init_from="runs/first", tokenizer=TokenizerConfig(), training=tiny)


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


def test_a_model_is_found_by_path_name_and_age(write) -> None:
    with pytest.raises(RunError, match="no trained run in runs/ here"):
        api.load()
    text = write(TEXT)
    train(text, "first", steps=2)
    train(text, "second", steps=2)
    for name in ("first", "runs/first", "runs/first/model.safetensors"):
        assert api.load(name).path == Path("runs/first/model.safetensors")
    assert api.load().path == Path("runs/second/model.safetensors")
    with pytest.raises(RunError, match="no model 'third'"):
        api.load("third")


def test_a_loaded_model_writes_and_scores(write) -> None:
    text = write(TEXT)
    train(text, steps=100)
    model = api.load("runs/a")
    assert "".join(model.generate("cat", seed=1, length=30)) == api.sample("runs/a", "cat", seed=1, length=30)
    assert model.evaluate(text, split="test") == model.evaluate_own("test")
    whole, train_part = model.evaluate(text), model.evaluate_own("train")
    assert whole.characters == len(TEXT) and train_part.characters == int(len(TEXT) * 0.9)
    copy = replace(model, path=Path(write(b"", "elsewhere/model.safetensors")))
    with pytest.raises(RunError, match="outside its run folder"):
        copy.evaluate_own("test")
    text.write_text(TEXT + "more")
    with pytest.raises(CorpusError, match="has changed since"):
        model.evaluate_own("test")

import json
from pathlib import Path

import pytest

from charlm import api
from charlm.config import TokenizerConfig
from charlm.errors import ConfigError, CorpusError, RunError
from charlm.sampling import SampleConfig
from charlm.storage.checkpoint import load


def test_a_finished_run_goes_on_when_it_is_given_more(train_run) -> None:
    train_run(steps=20)
    before = Path("runs/a/config.json").read_bytes()
    for lengths in ({}, {"steps": 20}, {"steps": 7}, {"epochs": 0.01}):
        with pytest.raises(RunError, match=r"run runs/a is finished \(.* of .*\); to train longer pass a larger --"):
            api.resume_run("runs/a", lengths=lengths)
    assert Path("runs/a/config.json").read_bytes() == before
    assert api.resume_run("runs/a", lengths={"steps": 30}).outcome.step == 30
    with pytest.raises(ConfigError, match="--steps is 0"):
        api.resume_run("runs/a", lengths={"steps": 0})


def test_overwriting_needs_the_name_of_a_run(text: Path, small_shape: dict) -> None:
    api.train_run(text, training={"steps": 2}, model=small_shape, auto=False)
    with pytest.raises(ConfigError, match="--overwrite replaces the run that --run names"):
        api.train_run(text, training={"steps": 2}, model=small_shape, overwrite=True, auto=False)


def test_a_run_killed_before_its_first_save_begins_again(train_run, stop_after, weights_of, same_weights) -> None:
    train_run("runs/whole")
    train_run("runs/early", callbacks=stop_after(3))
    for name in ("resume.safetensors", "model.safetensors"):
        Path("runs/early", name).unlink()
    assert api.resume_run("runs/early").outcome.finished
    assert same_weights(weights_of("runs/early"), weights_of("runs/whole"))


def test_resume_needs_the_same_text(text: Path, sentences: str, train_run, stop_after, write) -> None:
    train_run(callbacks=stop_after(10))
    text.write_text(sentences.replace("cat", "rat"))
    with pytest.raises(CorpusError, match="not the one that this run began with; restore it, or"):
        api.resume_run("runs/a")
    moved = write(sentences, "elsewhere.txt")
    assert api.resume_run("runs/a", text=moved).outcome.finished


def test_a_bad_option_leaves_no_folder(train_run, write) -> None:
    for model in ({"cell": "gruu"}, {"hidden_size": 0}, {"num_layers": -1}):
        with pytest.raises(ConfigError):
            train_run(model=model)
    with pytest.raises(CorpusError):
        train_run(source=write(""))
    assert not Path("runs").exists()


def test_what_contradicts_the_model_to_start_from_is_refused(train_run, text) -> None:
    train_run("runs/first")
    tiny = {"steps": 1}
    with pytest.raises(ConfigError, match="has --hidden 16; leave out --hidden 32"):
        api.train_run(text, run="runs/b", init_from="runs/first", model={"hidden_size": 32}, training=tiny)
    with pytest.raises(ConfigError, match="brings its own tokenizer"):
        api.train_run(text, run="runs/b", init_from="runs/first", tokenizer=TokenizerConfig(), training=tiny)


def test_a_run_without_time_for_a_step_makes_one_and_says_what_took_the_time(
    train_run, caplog: pytest.LogCaptureFixture
) -> None:
    assert train_run(steps=None, minutes=1e-5).outcome.step >= 1
    assert "seconds of --minutes 1e-05, so training gets only" in caplog.text
    assert Path("runs/a/model.safetensors").exists()


def test_the_token_before_every_text_is_silent_at_first(text: Path, small_shape: dict) -> None:
    api.train_run(text, run="runs/a", training={"steps": 1, "weight_decay": 0}, model=small_shape, auto=False)
    trained = load(Path("runs/a/resume.safetensors"))
    unseen = trained.tokenizer.unk
    assert (trained.model.embedding[unseen] == 0).all()
    assert (trained.model.embedding[trained.tokenizer.bos].abs() < 0.1).all()


WIDE = "".join(chr(0x4E00 + (number * number // 7) % 601) for number in range(12_000))
"""A text of more distinct characters than a small vocabulary has."""


@pytest.mark.parametrize(
    ("asked", "tied", "width"),
    [({}, True, 16), ({"embedding_size": 8}, False, 8), ({"tie_weights": False}, False, 128)],
)
def test_a_large_vocabulary_shares_embedding_and_output(write, asked: dict, tied: bool, width: int) -> None:
    text, length = write(WIDE), {"steps": 4, "batch_size": 4, "seq_len": 8}
    api.train_run(text, run="runs/a", model=asked | {"hidden_size": 16}, training=length, auto=False)
    model = load(Path("runs/a/model.safetensors")).model
    assert (model.config.tie_weights, model.config.embedding_size) == (tied, width)
    assert (model.output is None) == tied
    kept = json.loads(Path("runs/a/config.json").read_text())["model"]
    assert (kept["tie_weights"], kept["embedding_size"], kept["ngram_order"]) == (tied, width, 5)
    api.resume_run("runs/a", lengths={"steps": 8})
    assert len("".join(api.load("runs/a").generate(config=SampleConfig(length=5), seed=1))) == 5
    api.train_run(text, run="runs/b", init_from="runs/a", training=length, auto=False)
    with pytest.raises(ConfigError, match=r"has --(no-)?tie-weights; leave out"):
        api.train_run(
            text, run="runs/c", init_from="runs/a", model={"tie_weights": not tied}, training=length, auto=False
        )


def test_the_settings_of_a_run_are_keywords_too(text: Path, small_shape: dict) -> None:
    settings = {"batch_size": 4, "seq_len": 16, "seed": 3, "splits": (80, 10, 10)}
    model = api.train(text, steps=3, auto=False, model={"cell": "rnn"}, **small_shape, **settings)
    config, corpus = model.checkpoint.training.config, model.checkpoint.corpus.config
    assert (config.batch_size, config.seed, config.steps, corpus.splits) == (4, 3, 3, (80, 10, 10))
    assert (model.model.config.cell, model.model.config.hidden_size) == ("rnn", 16)
    for wrong, right in {"overwite": "overwrite", "hidden": "hidden_size", "documnts": "documents"}.items():
        with pytest.raises(ConfigError, match=f"train has no setting '{wrong}'; did you mean {right}"):
            api.train(text, **{wrong: 1})

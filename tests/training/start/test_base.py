"""The choice between a new model and the bundled model of English."""

import json
from pathlib import Path

import pytest

from charlm import api
from charlm.api import Callbacks, Trained
from charlm.config import TokenizerConfig
from charlm.storage.checkpoint import load
from charlm.storage.runs import PRETRAINED, RunFolder
from charlm.training.start import base

ENGLISH = """\
It was late in the evening when the two travellers came down from the hills and saw the lights of the village. "We
shall be there in an hour," said the older man, "if the snow does not begin again." His friend looked up at the sky and
said nothing. They had walked since the morning without a meal, and the road was longer than either of them had thought.
At the bridge they met a boy with a lantern, who asked them where they came from and what they wanted.
"""
TINY = {"steps": 2, "batch_size": 4, "seq_len": 16}


@pytest.fixture(autouse=True)
def _with_base(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    monkeypatch.setattr(base, "BASE", "english")


@pytest.fixture
def start_of(write):
    """Train a step on a text and tell what the run began with, and the reason that was given."""

    def start_of(content: str, **options) -> tuple[str | None, str]:
        reasons = []
        callbacks = Callbacks(on_settings=lambda settings: reasons.append(settings.why))
        trained = api.train_run(
            write(content), run="runs/a", overwrite=True, callbacks=callbacks, **{"training": TINY} | options
        )
        return init_from(trained), " ".join(reasons)

    return start_of


def init_from(trained: Trained) -> str | None:
    return RunFolder(trained.run).read_config().init_from


def test_english_begins_with_the_base(start_of) -> None:
    start, reason = start_of(ENGLISH)
    assert start == str(PRETRAINED / "english" / "model.safetensors")
    assert "the model english predicts it with" in reason
    config, base = (load(Path(model)).model.config for model in ("runs/a/model.safetensors", start))
    assert (config.hidden_size, config.ngram_order) == (base.hidden_size, 12)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("Привет, как твои дела? Хорошо. " * 20, id="another script"),
        pytest.param("The cat sat on the mat and slept.", id="too short to tell"),
        pytest.param("Der Hund schläft, und die Katze läuft davon. " * 20, id="another language"),
    ],
)
def test_what_the_base_does_not_know_begins_anew(start_of, content: str, caplog: pytest.LogCaptureFixture) -> None:
    start, reason = start_of(content)
    assert start is None and "english" not in reason + caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"init_from": "none"},
        {"init_from": None},
        {"auto": False},
        {"model": {"hidden_size": 16}},
        {"model": {"cell": "gru"}},
        {"corpus": {"direction": "backward"}},
        {"tokenizer": TokenizerConfig(kind="byte")},
    ],
    ids=str,
)
def test_options_that_ask_for_a_new_model(start_of, options: dict) -> None:
    assert start_of(ENGLISH, **options)[0] is None


@pytest.mark.parametrize("options", [{"dropout": 0.3}, {"ngram_order": 3}, {"match": False}, {"recent": False}])
def test_options_that_the_base_can_follow(start_of, options: dict) -> None:
    start, _ = start_of(ENGLISH, model=options)
    assert start is not None
    config = load(Path("runs/a/model.safetensors")).model.config.to_json()
    assert config | options == config


@pytest.mark.parametrize(
    "content", ["L\u2019été, la forêt dormait ; le cœur aussi. ", "Zażółć gęślą jaźń! ", "So 😀 and 🎉, ok 🙂. "]
)
def test_all_characters_of_the_text_are_known(start_of, content: str) -> None:
    start, _ = start_of(content * 20, init_from="english")
    assert start is not None
    assert set(content) == set(load(Path("runs/a/model.safetensors")).tokenizer.characters)


def test_a_stopped_run_that_began_with_the_base_continues_as_if_unbroken(
    write, stop_after, weights_of, same_weights
) -> None:
    text, training = write(ENGLISH), {**TINY, "steps": 4, "seed": 5}
    unbroken = api.train_run(text, run="runs/a", training=training)
    stopped = api.train_run(text, run="runs/b", training=training, callbacks=stop_after(2))
    assert init_from(unbroken) == init_from(stopped) is not None
    api.resume_run("runs/b")
    for name in ("model.safetensors", "resume.safetensors"):
        assert same_weights(weights_of("runs/a", name), weights_of("runs/b", name))


def test_the_command_says_what_was_chosen_and_forgotten(write, charlm) -> None:
    options = ("--steps", 2, "--batch-size", 4, "--run", "runs/a", "--json")
    result = charlm("train", write(ENGLISH), *options)
    assert "the model english predicts it with" in result.stderr
    assert "forgotten: text written by the model it began with costs" in result.stderr
    forgotten = json.loads(result.stdout)["forgotten"]
    assert forgotten["after"] > forgotten["before"] > 1
    result = charlm("train", write(ENGLISH), *options, "--init-from", "none", "--overwrite")
    assert json.loads(result.stdout)["forgotten"] is None and "english" not in result.stderr

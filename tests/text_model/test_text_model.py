import re
from dataclasses import replace
from pathlib import Path

import pytest

import charlm
from charlm import api
from charlm.errors import ConfigError, CorpusError, RunError
from charlm.evaluation import copying
from charlm.sampling import SampleConfig


def test_a_loaded_model_writes_and_scores(text: Path, sentences: str, trained_run, write) -> None:
    trained_run()
    model = api.load("runs/a")
    config = SampleConfig(length=30)
    assert "".join(model.generate("cat", config, seed=1)) == model.sample("cat", config, seed=1)
    assert model.evaluate(text, split="test") == model.evaluate(split="test")
    whole, train_part = model.evaluate(text), model.evaluate(split="train")
    assert whole.characters == len(sentences) and train_part.characters == int(len(sentences) * 0.9)
    copy = replace(model, path=Path(write(b"", "elsewhere/model.safetensors")))
    with pytest.raises(RunError, match="outside its run folder"):
        copy.evaluate(split="test")
    text.write_text(sentences + "more")
    with pytest.raises(CorpusError, match="has changed since"):
        model.evaluate(split="test")


def test_copies_are_looked_for_in_the_beginning_of_a_large_text(
    sentences: str, trained_run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trained_run()
    model = api.load("runs/a")
    assert model.copy_index(10).holds(sentences[2000:2020])
    monkeypatch.setattr(copying, "MOST_CHARACTERS", 1500)
    index = model.copy_index(10)
    assert index.holds(sentences[1400:1420]) and not index.holds(sentences[1490:1510])
    assert "first 1,500 characters" in caplog.text


def test_settings_are_keywords_too(trained_run) -> None:
    model = api.load(trained_run())
    config = SampleConfig(temperature=0.5, length=30)
    text = model.sample("cat", config, seed=1)
    assert model.sample("cat", seed=1, temperature=0.5, length=30) == text
    assert model.sample("cat", config, seed=1, length=10) == text[:13]
    assert [one.text for one in model.generate_many("cat", seed=1, num=1, temperature=0.5, length=30)] == [text]
    assert model.session("cat", seed=1, temperature=0.5).offers(1)[0].probability > 0
    assert model.beam("cat", width=2, length=3)[0].characters == 3
    with pytest.raises(ConfigError, match="did you mean temperature"):
        model.sample(temprature=0.5)
    with pytest.raises(ConfigError, match="config is dict, not SampleConfig"):
        model.sample(config={"temperature": 0.5})  # type: ignore[arg-type]


def test_what_a_method_cant_use_is_named(trained_run) -> None:
    model = api.load(trained_run())
    with pytest.raises(ConfigError, match="reads forward; name a model that reads backward"):
        model.fill(model, "cat", "the")
    with pytest.raises(ConfigError, match="a single string; give a list of strings, or use score_text"):
        model.score_texts("cat and the cat")


def test_a_misspelt_split_is_named(trained_run) -> None:
    model = api.load(trained_run())
    for use in (lambda: model.evaluate(split="tset"), lambda: model.read().split("tset")):
        with pytest.raises(ConfigError, match="--split is 'tset'; choose one of train, valid, test; did you mean test"):
            use()
    with pytest.raises(ConfigError, match="corpus says how to read a text"):
        model.evaluate(corpus={"documents": "line"})


def test_a_model_shows_itself_in_three_lines(trained_run) -> None:
    model = api.load(trained_run(steps=60))
    first, shape, training = repr(model).splitlines()
    assert first == "model runs/a/model.safetensors"
    assert shape.strip().startswith("lstm, 2 x 16, ") and "characters" in shape and "parameters" in shape
    assert re.fullmatch(
        r"trained on text \([\d,]+ characters\) for 0:\d\d, validation [\d.]+ nats per token", training.strip()
    )
    assert model._repr_html_().count("<br>") == 2
    assert "<th>bits per character</th>" in model.evaluate()._repr_html_()


def test_strings_are_scored(trained_run, text: Path) -> None:
    model = api.load(trained_run())
    assert model.score_text(text.read_text()) == model.evaluate(text)
    assert len(model.surprisal("the cat")) == 7


def test_strings_are_scored_each_by_itself(trained_run) -> None:
    trained_run()
    model = charlm.load("a")
    texts = ["cat and the cat", "", "a dog, \ud83d\ude00 \ud800"]
    scores = list(model.score_texts(iter(texts)))
    assert [score.characters for score in scores] == [15, 0, 10]
    assert scores[1].bits_per_character is None and scores[1].nats > 0
    for text, score in zip(texts[:1], scores, strict=False):
        assert score.nats == pytest.approx(model.score_text(text).nats, rel=1e-6)
    with pytest.raises(charlm.CharlmError, match="choose one of document, line, sentence, word"):
        model.score_texts(texts, by="paragraph")

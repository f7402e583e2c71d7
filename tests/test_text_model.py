from dataclasses import replace
from pathlib import Path

import pytest

from charlm import api
from charlm.errors import CorpusError, RunError
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
    monkeypatch.setattr(copying, "_MOST_CHARACTERS", 1500)
    index = model.copy_index(10)
    assert index.holds(sentences[1400:1420]) and not index.holds(sentences[1490:1510])
    assert "first 1,500 characters" in caplog.text

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TEXT
from small_runs import train

from charlm import api
from charlm import text_model as loaded
from charlm.errors import CorpusError, RunError


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


def test_copies_are_looked_for_in_the_beginning_of_a_large_text(
    write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    train(write(TEXT))
    model = api.load("runs/a")
    assert model.copy_index(10).holds(TEXT[2000:2020])
    monkeypatch.setattr(loaded, "_INDEXED", 1500)
    index = model.copy_index(10)
    assert index.holds(TEXT[1400:1420]) and not index.holds(TEXT[1490:1510])
    assert "first 1,500 characters" in caplog.text

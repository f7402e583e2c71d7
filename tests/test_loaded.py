from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TEXT
from small_runs import train

from charlm import api
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

"""`charlm train --direction backward` and `charlm fill` as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import TEXT
from small_runs import train
from test_commands import charlm, failed

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import prepare

SMALL = ["--steps", "60", "--hidden", "16", "--ngram-order", "4"]


@pytest.mark.parametrize("kind", ["char", "subword"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_a_backward_dataset_is_the_forward_one_turned(write, kind: str, documents: str) -> None:
    text = write(TEXT)
    tokenizer = TokenizerConfig(kind=kind, vocab_size=320)
    ahead = prepare(open_corpus(text, CorpusConfig(documents=documents)), tokenizer)
    behind = prepare(open_corpus(text, CorpusConfig(documents=documents, direction="backward")), ahead.tokenizer)
    for name in ("train", "valid", "test"):
        one, other = ahead.split(name), behind.split(name)
        assert one.facts == other.facts
        forward = [one.ids[a:b].tolist() for a, b in zip(one.starts[:-1], one.starts[1:], strict=True)]
        backward = [other.ids[a:b].tolist() for a, b in zip(other.starts[:-1], other.starts[1:], strict=True)]
        assert backward == [[document[0], *document[-2:0:-1], document[-1]] for document in forward[::-1]]
        assert one.ids.dtype == other.ids.dtype and np.all(other.ids >= 0)


def test_a_gap_is_filled(write, monkeypatch: pytest.MonkeyPatch) -> None:
    text = write(TEXT)
    charlm("train", text, "--run", "there", *SMALL)
    charlm("train", text, "--run", "back", "--direction", "backward", *SMALL)
    gap = ["--left", "cat and the c", "--right", ", a 3 of cats.", "--length", "12"]
    values = json.loads(charlm("fill", *gap, "--json").stdout)
    assert 0 < len(values) <= 5 and set(values[0]) == {"text", "score", "forward", "backward"}
    named = json.loads(charlm("fill", "there", "--backward", "back", *gap, "--json").stdout)
    assert named == values
    shown = charlm("fill", *gap, "--num", "2").stdout
    assert f"cat and the c[{values[0]['text']}], a 3 of cats." in shown.replace("⏎", "\n")
    assert "reads from right to left" in failed("sample", "back")
    assert "bits per character" in charlm("eval", "back").stdout
    assert "--right is empty" in failed("fill")
    assert "reads forward; a model that reads backward" in failed("fill", "--backward", "there", *gap)
    assert "'é'" in failed("fill", *gap, "--left", "é")


def test_without_a_backward_model_it_says_how_to_make_one(write) -> None:
    assert "no model that reads forward" in failed("fill", "--right", "x")
    train(write(TEXT))
    assert "--direction backward" in failed("fill", "--right", "x")
    assert Path("runs/a/model.safetensors").exists()

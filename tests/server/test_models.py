"""Every page works with every kind of model, or says in one line why not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charlm.config import TokenizerConfig

MODELS: dict[str, dict[str, Any]] = {
    "transformer": {"model": {"network": "transformer", "heads": 2, "hidden_size": 8, "embedding_size": 8}},
    "convolution": {"model": {"network": "convolution", "hidden_size": 8, "embedding_size": 8}},
    "words": {"tokenizer": TokenizerConfig(kind="word")},
}


@pytest.mark.parametrize("kind", MODELS)
def test_pages_work_or_say_why_not(
    trained_run: Callable[..., Path], one_thread: None, serve: Callable[..., Any], sentences: str, kind: str
) -> None:
    trained_run("runs/m", **MODELS[kind])
    served = serve("m")
    body = {"model": "m", "seed": 1, "length": 30}
    (end,) = [event for event in served.events("/api/write", body) if isinstance(event, dict)]
    assert end["ended"] == "length"
    assert served.json("POST", "/api/alternatives", {"model": "m", "text": "cat and"})
    assert served.json("POST", "/api/read", {"model": "m", "text": sentences[:100]})["tokens"] > 10
    described = served.json("GET", "/api/models/m")
    assert bool(described["states"]) is (kind == "words")
    status, answer = served.ask("POST", "/api/neurons", {"model": "m", "text": sentences[:1500]})
    message = "" if status == 200 else json.loads(answer)["error"]["message"]
    assert (status == 200) is (kind == "words"), message
    assert "\n" not in message and (status == 200 or kind in message)

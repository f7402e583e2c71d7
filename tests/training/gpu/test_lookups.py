"""Training with look-ups that other threads make ahead, as on a GPU, run on the CPU."""

from functools import partial
from typing import Any

import pytest

from charlm import api
from charlm.config import TokenizerConfig
from charlm.errors import CorpusError
from charlm.training import steps
from charlm.training.gpu.lookups import looked_up

MATCH = {"match": True, "recent": True, "ngram_order": 4, "context_vectors": 50}
SETTINGS: dict[str, dict[str, Any]] = {
    "match": {"model": MATCH},
    "lines": {"corpus": {"documents": "line"}, "model": MATCH},
    "no n-grams": {},
    "sampled softmax": {
        "model": {"ngram_order": 4},
        "tokenizer": TokenizerConfig(kind="word"),
        "softmax_samples": 100,
    },
}


@pytest.fixture
def train(train_run, small_shape, monkeypatch: pytest.MonkeyPatch, one_thread: None):
    """Train with look-ups: "ahead", or "in turn" when they are used; or without."""

    def train(run: str, settings: dict[str, Any], how: str | None, **more: Any) -> None:
        with monkeypatch.context() as patch:
            if how is not None:
                patch.setattr(steps, "looks_ahead", lambda model: True)
                patch.setattr(steps, "looked_up", partial(looked_up, ahead=how == "ahead"))
            train_run(run, **settings | {"model": small_shape | settings.get("model", {})} | {"steps": 25} | more)

    return train


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_other_threads_change_nothing(train, weights_of, same_weights, records_of, settings: dict) -> None:
    train("runs/ahead", settings, "ahead")
    train("runs/turn", settings, "in turn")
    train("runs/without", settings, None)
    assert same_weights(weights_of("runs/ahead"), weights_of("runs/turn"))
    losses = [[record["loss"] for record in records_of(run, "step")] for run in ("runs/ahead", "runs/without")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_run_with_look_ups_is_resumed_exactly(
    train, stop_after, weights_of, same_weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"model": MATCH}
    train("runs/whole", settings, "ahead")
    train("runs/broken", settings, "ahead", callbacks=stop_after(7))
    monkeypatch.setattr(steps, "looks_ahead", lambda model: True)
    api.resume_run("runs/broken")
    assert same_weights(weights_of("runs/whole"), weights_of("runs/broken"))


def test_an_error_in_another_thread_ends_the_run(train, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise CorpusError("the text has changed")

    monkeypatch.setattr(steps, "training_windows", lambda *_, **settings: (broken() for _ in range(3)))
    with pytest.raises(CorpusError, match="the text has changed"):
        train("runs/a", {}, "ahead")

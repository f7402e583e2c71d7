"""Losses that are read every ten steps, as on a GPU, run on the CPU."""

import math
from pathlib import Path

import pytest
import torch

from charlm import api
from charlm.errors import TrainingDivergedError
from charlm.training import run_log
from charlm.training.gpu.figures import Figures


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch):
    """Leave figures on the device; the result counts how often they are read."""
    reads: list[int] = []

    class Counted(Figures):
        def read(self):
            events = super().read()
            reads.append(len(events))
            return events

    monkeypatch.setattr(run_log, "figures_for", lambda state, config: Counted(config))
    return reads


def test_figures_read_later_are_the_same(train_run, weights_of, same_weights, records_of, stop_after, request) -> None:
    train_run("runs/at_once")
    reads = request.getfixturevalue("deferred")
    train_run("runs/later")
    assert same_weights(weights_of("runs/at_once"), weights_of("runs/later"))
    train_run("runs/broken", callbacks=stop_after(17))
    api.resume_run("runs/broken")
    clock = {"seconds": None}
    records = [[record | clock for record in records_of(f"runs/{run}")] for run in ("at_once", "later", "broken")]
    for other in records[1:]:
        for one, two in zip(records[0], other, strict=True):
            assert one.keys() == two.keys()
            for key, value in one.items():
                assert two[key] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)
    assert max(reads) <= 10


def test_a_loss_that_is_not_a_number_is_noticed_before_it_is_saved(
    train_run, deferred, weights_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    entropy, calls = torch.nn.functional.cross_entropy, []

    def broken(*arguments, **settings):
        calls.append(1)
        return entropy(*arguments, **settings) * (math.nan if len(calls) == 8 else 1.0)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", broken)
    with pytest.raises(TrainingDivergedError, match=r"the loss became nan .* at step 8;"):
        train_run(validations=1)
    assert all(torch.isfinite(value).all() for value in weights_of("runs/a").values())
    assert not Path("runs/a/model.safetensors").exists()

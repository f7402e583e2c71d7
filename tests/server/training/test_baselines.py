"""The baselines of a run."""

from pathlib import Path

import pytest

from charlm import api
from charlm.storage.runs import RunFolder

pytest.importorskip("starlette", reason="the extra charlm-rnn[web] is not installed")

from charlm.server.training.baselines import measure

ENGLISH = "The cat sat on the mat, and the dog ran to the door. " * 60
FRENCH = "L\u2019été, la forêt dormait ; le chat aussi. " * 60


def test_a_run_from_another_model_is_compared_in_its_own_vocabulary(write, train_run) -> None:
    train_run("runs/english", source=write(ENGLISH, "english.txt"))
    text, training = write(FRENCH, "french.txt"), {"steps": 1}
    api.train_run(text, run="runs/own", training=training)
    api.train_run(text, run="runs/from", init_from="runs/english", training=training)
    own, continued = measure(RunFolder(Path("runs/own"))), measure(RunFolder(Path("runs/from")))
    assert set(own) == {"ngram", "xz"} and continued == own

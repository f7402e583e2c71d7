"""`charlm features` as a user types it, on a model with a planted unit."""

import json
from pathlib import Path

import numpy as np


def test_features_go_to_a_file(charlm, failed, planted, reviews: dict[str, Path]) -> None:
    shown = charlm("features", reviews["good"], "--documents", "line", "--out", "f.npy")
    assert "wrote f.npy: 60 documents x 12 features (final h of layer 0, mean h of layer 0)" in shown.stderr
    values = np.load("f.npy")
    assert values.shape == (60, 12) and (values[:, planted.unit] > 0.9).all()
    told = json.loads(charlm("features", "a", reviews["good"], "--documents", "line", "--json").stdout)
    assert told["shape"] == [60, 12] and told["blocks"][1]["first"] == 6
    assert np.array_equal(np.load("features.npy"), values)
    assert "give a FILE to read" in failed("features")
    assert "there is no folder 'no/such'" in failed("features", reviews["good"], "--out", "no/such/f.npy")
    assert "the current folder; give a file name" in failed("features", reviews["good"], "--out", ".")
    assert "end its name with .npy" in failed("features", reviews["good"], "--out", "f.csv")
    assert not Path("f.csv").exists()

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from charlm.errors import CharlmError, ConfigError, ModelFileError
from charlm.storage.checkpoint import weights_sha256
from charlm.storage.direction import Direction, DirectionFacts, find_direction

VECTOR = np.array([0, 0, 0, 1, 0, 0], np.float32)


@pytest.fixture(scope="session")
def facts(mood: Direction, planted) -> DirectionFacts:
    """A direction in the model with a planted unit."""
    return replace(mood.facts, model_sha256=weights_sha256(planted.model()))


def test_a_file_gives_back_what_was_saved(facts, planted, tmp_path: Path) -> None:
    path = tmp_path / "mood.safetensors"
    Direction(facts, VECTOR).save(path)
    found = Direction.load(path)
    assert found.facts == facts and found.vector.tolist() == VECTOR.tolist()
    assert found.value(2) == 1.25 and found.value(-1) == -0.25
    found.require_in(planted.model(), weights_sha256(planted.model()), path)


def test_a_direction_of_another_model_is_refused(facts, planted, tmp_path: Path) -> None:
    other = planted.model("gru")
    with pytest.raises(ConfigError, match="was made for another model"):
        Direction(facts, VECTOR).require_in(other, weights_sha256(other), tmp_path)
    for other, vector in ((replace(facts, layer=1), VECTOR), (replace(facts, state="c"), VECTOR), (facts, VECTOR[:5])):
        with pytest.raises(ModelFileError, match="no such state"):
            Direction(other, vector).require_in(planted.model(), facts.model_sha256, tmp_path)


@pytest.mark.parametrize(
    ("change", "vector"),
    [
        ({"layer": -1}, VECTOR),
        ({"layer": "0"}, VECTOR),
        ({"scale": 0}, VECTOR),
        ({"scale": 10**400}, VECTOR),
        ({"positive": "bad"}, VECTOR),
        ({"mean": float("nan")}, VECTOR),
        ({"kind": "other"}, VECTOR),
        ({"state": "x"}, VECTOR),
        ({"name": 3}, VECTOR),
        ({"more": 1}, VECTOR),
        ({"version": 2}, VECTOR),
        ({}, VECTOR * 2),
        ({}, VECTOR[None]),
        ({}, VECTOR * np.nan),
        ({}, VECTOR.astype(np.float64)),
    ],
)
def test_damaged_files_are_refused(facts, tmp_path: Path, change: dict, vector: np.ndarray) -> None:
    path = tmp_path / "mood.safetensors"
    description = {"version": 1, **asdict(facts)} | change
    path.write_bytes(safetensors.numpy.save({"vector": vector}, {"charlm-direction": json.dumps(description)}))
    with pytest.raises(ModelFileError, match=r"mood\.safetensors (is damaged|has format version 2)"):
        Direction.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        safetensors.numpy.save({"vector": VECTOR}),
        safetensors.numpy.save({"vector": VECTOR}, {"charlm-direction": "[" * 100_000}),
        safetensors.numpy.save({"other": VECTOR}, {"charlm-direction": "{}"}),
        safetensors.numpy.save({"vector": VECTOR}, {"charlm-direction": "[]"}),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"x\.safetensors"):
        Direction.load(path)


def test_directions_are_found_by_name_or_file(facts, tmp_path: Path) -> None:
    model, file = tmp_path / "model.safetensors", tmp_path / "directions" / "mood.safetensors"
    with pytest.raises(ConfigError, match="make one with `charlm probe`"):
        find_direction("mood", model)
    file.parent.mkdir()
    Direction(facts, VECTOR).save(file)
    assert find_direction("mood", model) == find_direction(str(file), model) == file
    with pytest.raises(ConfigError, match=r"no direction 'joy' for .*; choose one of mood"):
        find_direction("joy", model)
    with pytest.raises(ConfigError, match="no direction"):
        find_direction("x" * 300, model)
    with pytest.raises(CharlmError, match="can't write"):
        Direction(facts, VECTOR).save(tmp_path / "none" / "x.safetensors")

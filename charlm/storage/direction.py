"""Steering directions: vectors in a model's state that stand for a label, such as the sentiment of a review.

`charlm probe` finds a direction and saves it in a file, and `charlm sample --steer` uses it.
"""

import hashlib
import json
import math
import os
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from charlm.config import JsonConfig
from charlm.errors import CharlmError, ConfigError, ModelFileError
from charlm.files import atomic_write, parse_object
from charlm.model.language_model import LanguageModel
from charlm.model.unit import names_unit

FORMAT_VERSION = 1
FOLDER = "directions"
"""The folder with the directions of a model, next to the model file."""
_KEY, _DIGEST = "charlm-direction", "sha256"
_LARGEST = 1 << 24  # bytes of a file that is read

StateName = Literal["h", "c"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectionFacts(JsonConfig):
    """The description of a direction in its file."""

    name: str
    kind: Literal["unit", "weighted"]
    """A single unit, or a weighted sum of all units."""
    layer: int
    """Counted from 0, the lowest."""
    state: StateName
    mean: float
    """The mean of vector . state over the labelled texts."""
    scale: float
    """How much a strength of 1 changes vector . state, above 0; see `charlm.analysis.probing.directions`."""
    negative: str
    """The label of texts in which vector . state is low."""
    positive: str
    """The label of texts in which vector . state is high."""
    model_sha256: str
    """The hash of the weights of its model, from `charlm.storage.checkpoint.weights_sha256`."""

    def __post_init__(self) -> None:
        if self.layer < 0:
            raise ConfigError(f"its layer is {self.layer}")
        if self.negative == self.positive:
            raise ConfigError(f"both its labels are {self.positive!r}")
        if not math.isfinite(self.mean) or not 0 < self.scale < math.inf:
            raise ConfigError(f"its mean is {self.mean} and its scale {self.scale}")


@dataclass(frozen=True, slots=True)
class Direction:
    """A vector in the state of one layer."""

    facts: DirectionFacts
    vector: NDArray[np.float32]
    """(H,), of length 1."""

    def value(self, strength: float) -> float:
        """vector . state at a strength, which may be negative."""
        return self.facts.mean + strength * self.facts.scale

    def require_in(self, model: LanguageModel, sha256: str, path: Path) -> None:
        """Raise `ConfigError` unless the direction was found in this model, whose weights have that hash.

        Raises `ModelFileError` if the model has no such state.
        """
        if self.facts.model_sha256 != sha256:
            raise ConfigError(
                f"the direction in {path} was made for another model; make one for this model with `charlm probe`"
            )
        config, cell = model.config, model.recurrent.cell
        fits = self.facts.layer < config.num_layers and self.facts.state in cell.states
        if not fits or self.vector.shape != (config.hidden_size,):
            raise ModelFileError(
                f"{path} is damaged: the model it names has no such state; make it again with `charlm probe`"
            )

    def save(self, path: Path) -> None:
        """Write a file, replacing an older one atomically; raises `CharlmError` when it can't be written."""
        description = json.dumps({"version": FORMAT_VERSION, **self.facts.to_json()})
        metadata = {_KEY: description, _DIGEST: _sha256(description, self.vector)}
        atomic_write(path, safetensors.numpy.save({"vector": self.vector}, metadata))

    @classmethod
    def load(cls, path: Path) -> "Direction":
        """Read a file; raises `ModelFileError` for one that is damaged, foreign or of another version."""
        description, vector = _read(path)
        version = description.pop("version", None)
        if version != FORMAT_VERSION:
            shown = reprlib.repr(version)
            raise ModelFileError(
                f"{path} has format version {shown}, but this charlm reads version {FORMAT_VERSION}; make it again "
                "with `charlm probe`"
            )
        try:
            facts = DirectionFacts.from_json(description)
        except ConfigError as error:
            raise ModelFileError(f"{path} is damaged: {error}; make it again with `charlm probe`") from None
        usual = vector.ndim == 1 and vector.dtype == np.float32 and bool(np.isfinite(vector).all())
        if not usual or abs(float(np.linalg.norm(vector.astype(np.float64))) - 1) > 1e-3:
            raise ModelFileError(f"{path} is damaged: its vector is no direction; make it again with `charlm probe`")
        return cls(facts, vector)


def _read(path: Path) -> tuple[dict[str, Any], NDArray[Any]]:
    """The description and the vector of a file, checked against their hash, but not against each other."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError(f"{path} is too large for a direction; name another file")
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            vector = file.get_tensor("vector")
        description = parse_object(metadata[_KEY])
    except OSError as error:
        raise ModelFileError(f"{path} can't be read: {error.strerror or error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, safetensors.SafetensorError):
        raise ModelFileError(f"{path} is not a steering direction, or damaged; make one with `charlm probe`") from None
    saved = metadata.get(_DIGEST, sha256 := _sha256(metadata[_KEY], vector))  # the oldest files have none
    if saved != sha256 or metadata.keys() - {_KEY, _DIGEST}:
        raise ModelFileError(
            f"{path} is damaged: its content differs from what was saved; make it again with `charlm probe`"
        )
    return description, vector


def _sha256(description: str, vector: NDArray[Any]) -> str:
    """The hash of the description and the vector."""
    return hashlib.sha256(description.encode() + vector.tobytes()).hexdigest()


def check_name(name: str) -> None:
    """Raise `ConfigError` for a name that `--steer` can't parse or that a file can't have."""
    if (
        not name.strip(".")
        or len(name.encode("utf-8", "replace")) > 200
        or names_unit(name)
        or set(name) & set("=/\\\0")
    ):
        raise ConfigError(f"a direction can't be called {name!r}; rename the label, or give another name with --name")


def make_direction_folder(model: Path) -> Path:
    """The folder for the directions of a model file, which is created if needed.

    Raises `CharlmError` if it is a symbolic link or can't be created.
    """
    folder = model.parent / FOLDER
    if folder.is_symlink():
        raise CharlmError(f"{folder} is a symbolic link, which charlm doesn't follow; remove it")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CharlmError(
            f"can't create {folder}: {error.strerror}; copy the model to a folder that you can write to"
        ) from None
    return folder


def direction_paths(model: Path) -> list[Path]:
    """The files with the directions of a model file, by name."""
    return sorted((model.parent / FOLDER).glob("*.safetensors"))


def find_direction(name: str, model: Path) -> Path:
    """The file of a direction, given its path, or its name and the path of its model.

    Raises `ConfigError`, which lists the directions of the model, if there is none.
    """
    for path in (model.parent / FOLDER / f"{name}.safetensors", Path(name)):
        if os.path.isfile(path):  # False for a name that no file can have
            return path
    known = [path.stem for path in direction_paths(model)]
    hint = f"choose one of {', '.join(known)}" if known else "make one with `charlm probe`"
    raise ConfigError(f"there is no direction {name!r} for {model}; {hint}")

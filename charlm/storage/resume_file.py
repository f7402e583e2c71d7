"""The resume file: a model file of the latest weights, with everything else that a run needs to continue exactly.

The additional tensors are named `resume/...`; the additional JSON values are under the key `resume` of the description.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charlm.errors import ModelFileError
from charlm.storage.checkpoint import Checkpoint, checkpoint_from, read_file, save

_KEY = "resume"
_PREFIX = "resume/"


@dataclass(frozen=True, kw_only=True)
class ResumeState:
    """The content of a resume file besides the model."""

    values: dict[str, Any]
    """Plain JSON: counters, cursor, best validation."""
    tensors: dict[str, Tensor]
    """Optimiser, recurrent states and generators, by name."""


def save_resume_file(path: Path, checkpoint: Checkpoint, state: ResumeState) -> None:
    """Write a resume file, replacing an older one atomically; raises `CharlmError` when it can't be written."""
    tensors = {_PREFIX + name: tensor for name, tensor in state.tensors.items()}
    save(path, checkpoint, more={_KEY: state.values}, more_tensors=tensors)


def load_resume_file(path: Path, device: torch.device | str = "cpu") -> tuple[Checkpoint, ResumeState]:
    """Read a resume file.

    Raises `ModelFileError` for a plain model file, and as `charlm.storage.checkpoint.load` does.
    """
    description, tensors = read_file(path)
    values = description.get(_KEY)
    if not isinstance(values, dict):
        raise ModelFileError(f"{path} is a model, not a resume file; to train it further use --init-from {path}")
    state = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
    return checkpoint_from(path, description, tensors, device), ResumeState(values=values, tensors=state)

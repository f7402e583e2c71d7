"""The checksums in a model file: one of the weights, and one of everything else, which includes the first.

Files of charlm 0.1.0 have only the first, and the oldest have none.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from charlm.files import json_sha256

Coverage = Literal["all", "weights", "nothing"]
"""What the checksums of a file cover."""

_WEIGHTS, _ALL = "tensors_sha256", "sha256"
KEYS = (_WEIGHTS, _ALL)
"""The keys of the description that hold checksums."""


def signed(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The description of a file with its checksums; the tensors are contiguous and on the CPU."""
    rest = {**description, _WEIGHTS: tensors_sha256(tensors)}
    return {**rest, _ALL: _whole(rest, tensors)}


def verify(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` if the content of a file differs from its checksums."""
    rest = dict(description)
    whole = rest.pop(_ALL, None)
    if rest.get(_WEIGHTS, sha256 := tensors_sha256(tensors)) != sha256:
        raise ValueError("its weights differ from those that were saved")
    if _ALL in description and whole != _whole(rest, tensors):
        raise ValueError("its description differs from the one that was saved")


def coverage(description: Mapping[str, Any]) -> Coverage:
    """What the checksums of a file cover."""
    return "all" if _ALL in description else "weights" if _WEIGHTS in description else "nothing"


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of all tensors' bytes, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].reshape(-1)
        if tensor.stride(0) != 1:  # torch calls a tensor of one element contiguous whatever its stride is
            tensor = tensor.clone(memory_format=torch.contiguous_format)
        digest.update(tensor.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _whole(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """The hash of a description with the hash of the weights in it, and of the weights' names, types and shapes."""
    layout = {name: [str(tensor.dtype), *tensor.shape] for name, tensor in tensors.items()}
    return json_sha256({"description": description, "tensors": layout})

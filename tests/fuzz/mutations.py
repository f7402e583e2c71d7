"""Mutations of bytes, of JSON values and of signed files, made from the number of a case."""

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from charlm.storage import digest

Random = random.Random


def mutated_bytes(content: bytes, chance: Random) -> bytes:
    """A content with one to three changes."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(changed) + 1)
        if chance.random() < 0.5:
            start = min(start, chance.randrange(2000))  # in the header
        stop = start + chance.choice([1, 1, 1, 2, 8, 100])
        change = chance.randrange(7)
        if change == 0:
            changed[start:stop] = b""
        elif change == 1:
            changed[start:start] = chance.randbytes(stop - start)
        elif change == 2:
            changed[start:stop] = bytes(len(changed[start:stop]))
        elif change == 3:
            changed[start:stop] = chance.randbytes(len(changed[start:stop]))
        elif change == 4 and chance.random() < 0.3:
            del changed[start:]
        elif start < len(changed):
            changed[start] ^= 1 << chance.randrange(8)
    return bytes(changed)


def strange_value(chance: Random) -> Any:
    deep: Any = []
    for _ in range(chance.choice([5, 300])):
        deep = [deep]
    values = [None, True, False, 0, 1, -1, 2, 7, 65_536, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.5, 1e-320, 1e308]
    values += [float("nan"), float("inf"), "", "x", "\0", "\n", "é" * 50, "[" * 99, [], {}, [1], [""], {"x": 1}, deep]
    return copy.deepcopy(chance.choice(values))


def mutated_json(value: Any, chance: Random) -> Any:
    """A JSON object with one to three values replaced, removed, or added anywhere."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        parent, key = chance.choice([*places(changed)])
        change = chance.randrange(8)
        if change == 0:
            del parent[key]
        elif change == 1 and isinstance(parent, dict):
            parent[chance.choice(["x", "", *map(str, parent)])] = strange_value(chance)
        elif change == 2 and isinstance(parent[key], int | float):
            parent[key] *= chance.choice([-1, 2, 1000, 10**300 if isinstance(parent[key], int) else 1e300])
        elif change == 3 and isinstance(parent[key], str):
            parent[key] = mutated_bytes(parent[key].encode("utf-8", "replace"), chance).decode("latin-1")
        else:
            parent[key] = strange_value(chance)
        if not changed:
            break
    return changed


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value, with each of its keys or indices."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def mutate_signed(path: Path, chance: Random, part: str | None = None) -> None:
    """Change the description of a model file, or a part of it, or a tensor, and sign the file anew."""
    with safetensors.safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["charlm"])
    tensors = safetensors.torch.load_file(path)
    for key in digest.KEYS:
        description.pop(key)
    if chance.random() < 0.25:
        mutate_tensor(tensors, chance)
    elif part is not None:
        description[part] = mutated_json(description[part], chance)
    else:
        description = mutated_json(description, chance)
    signed = digest.signed(description, tensors) if isinstance(description, dict) else description
    safetensors.torch.save_file(tensors, path, {"charlm": json.dumps(signed)})


def mutate_tensor(tensors: dict[str, torch.Tensor], chance: Random) -> None:
    name = chance.choice(sorted(tensors))
    tensor = tensors[name]
    change = chance.randrange(5)
    if change == 0:
        del tensors[name]
    elif change == 1:
        tensors[name] = tensor[: chance.randrange(len(tensor) + 1)].clone() if tensor.ndim else tensor.view(1)
    elif change == 2:
        tensors[name] = tensor.to(chance.choice([torch.float64, torch.int64, torch.uint8, torch.bfloat16]))
    elif tensor.numel():
        with contextlib.suppress(RuntimeError):  # a number that the type lacks
            value = chance.choice([0, 1, -1, 255, 2**31 - 1, -(2**31), 2**62, 1e30, float("nan"), float("inf")])
            tensor.view(-1)[chance.randrange(tensor.numel())] = value

"""The choice of the device that a model runs on."""

from typing import get_args

import torch

from charlm.config import Device, check_choice
from charlm.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The torch device called `name`; "auto" is CUDA if there is one, else MPS, else the CPU.

    Raises `ConfigError` for a device that torch doesn't see.
    """
    check_choice("--device", name, get_args(Device))
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, is_available in available.items() if is_available))
    if not available[name]:
        raise ConfigError(f"--device {name}: torch sees no such device here; use --device cpu or auto")
    return torch.device(name)

"""Where a model computes."""

import torch

from charlm.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA, then MPS, then the CPU. Raises `ConfigError` where it isn't there."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, here in present.items() if here))
    if not present[name]:
        raise ConfigError(f"--device {name}: torch sees no such device here; use --device cpu or auto")
    return torch.device(name)

"""The choice of the device that a model runs on."""

import logging
from typing import get_args

import torch

from charlm.config import Device, check_choice
from charlm.errors import ConfigError

logger = logging.getLogger(__name__)


def pick_device(name: str) -> torch.device:
    """The torch device called `name`; "auto" is CUDA if there is one, else the CPU.

    MPS must be named, since charlm has not been tested for leaks of memory on it. A run doesn't use "auto" of this
    function where there is a choice: it times both (`charlm.training.start.fastest_device`).

    Raises `ConfigError` for a device that torch doesn't see.
    """
    check_choice("--device", name, get_args(Device))
    if name == "auto":
        return torch.device("cuda" if is_available("cuda") else "cpu")
    if not is_available(name):
        raise ConfigError(f"--device {name}: torch sees no such device here; use --device cpu or auto")
    return torch.device(name)


def is_available(kind: str) -> bool:
    """Whether torch sees a device of this kind: "cpu", "cuda" or "mps"."""
    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()


def has_bfloat16_cores() -> bool:
    """Whether the current GPU multiplies matrices in bfloat16 (compute capability 8, Ampere, and later)."""
    return torch.cuda.get_device_capability() >= (8, 0)


def device_to_resume_on(name: str, kind: str | None) -> torch.device:
    """The device called `name`; "auto" is the kind of device that the run was saved on, or the CPU if that is gone.

    Says where the weights may differ from those of a run that never stopped; `kind` is None if that is unknown.
    """
    if name == "auto" and kind is not None:
        name = kind if is_available(kind) else "cpu"
    device = pick_device(name)
    if kind is not None and device.type != kind:
        logger.warning(
            "the run was saved on the device %s and continues on %s: its weights will differ in rounding from "
            "those of a run that stayed there",
            kind,
            device.type,
        )
    elif device.type != "cpu":
        logger.warning(
            "torch doesn't guarantee the same sums twice on the device %s: the weights can differ in rounding from "
            "those of a run that was never stopped",
            device.type,
        )
    return device

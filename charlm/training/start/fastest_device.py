"""The device of a run whose device is "auto": the one on which a network like that of the run trains faster."""

import logging
from dataclasses import replace

import torch

from charlm.config import Device, ModelConfig, TrainConfig
from charlm.errors import ConfigError
from charlm.model.device import is_available
from charlm.processes.processes import Processes
from charlm.training.start.speed import tokens_per_second

logger = logging.getLogger(__name__)

_SECONDS = 1.0  # of training steps on each device; the first step, which prepares the device, may take longer
_CANDIDATES: tuple[Device, ...] = ("cuda", "cpu")


def fastest_device(network: ModelConfig, config: TrainConfig, processes: Processes) -> Device:
    """The CPU or CUDA, whichever trains faster; "auto", which is the CPU, if torch sees no CUDA.

    Each is timed on a few training steps, and the result is logged. A device that fails in them is not chosen. Of
    several processes all time at once, and CUDA is chosen only if each of them has a GPU.

    Args:
        network: the network to time, without n-gram prior and labels, whose cost is about the same on both.
        config: the settings of training; its batch and window are timed.
        processes: the processes that train together.
    """
    seen, owned = processes.total([is_available("cuda"), _has_gpu(processes)])
    if owned < processes.size:
        return "cpu" if seen else "auto"
    speeds = {device: float(processes.total([_speed(network, config, device)])[0]) for device in _CANDIDATES}
    fastest: Device = "cuda" if speeds["cuda"] > speeds["cpu"] else "cpu"
    logger.warning(
        "--device auto: training on the device %s; in a second of timing each, cuda read %s tokens per second and the "
        "CPU %s",
        fastest,
        f"{speeds['cuda']:,.0f}",
        f"{speeds['cpu']:,.0f}",
    )
    return fastest


def _has_gpu(processes: Processes) -> bool:
    """Whether there is a GPU for this process."""
    if not is_available("cuda"):
        return False
    try:
        processes.use(torch.device("cuda"))
    except ConfigError:
        return False
    return True


def _speed(network: ModelConfig, config: TrainConfig, device: Device) -> float:
    """Tokens per second; 0 if the device fails, as for want of memory or with a driver that is too old."""
    try:
        return tokens_per_second(network, replace(config, device=device), config.seq_len, most_seconds=_SECONDS)
    except RuntimeError as error:
        logger.warning("training on the device %s fails: %s", device, " ".join(str(error).split())[:200])
        return 0.0

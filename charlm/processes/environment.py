"""What a launcher of several processes tells each of them through its environment; needs no torch."""

import os

LAUNCHER = "CHARLM_LAUNCHER"
"""The process id of the `charlm train --processes` that has started this process."""
_ADDRESS = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


def in_environment() -> bool:
    """Whether this process was started as one of several, by torchrun or another launcher."""
    return os.environ.keys() >= _ADDRESS and number_in_environment("WORLD_SIZE", 1) > 1


def rank_in_environment() -> int:
    """The number of this process, 0 if it is the only one."""
    return number_in_environment("RANK", 0) if in_environment() else 0


def launcher() -> int | None:
    """The process id of the `charlm train --processes` that has started this process; None if another launcher has."""
    return number_in_environment(LAUNCHER, 0) or None


def was_restarted() -> bool:
    """Whether torchrun has started this process again after a failure (--max-restarts)."""
    return number_in_environment("TORCHELASTIC_RESTART_COUNT", 0) > 0


def may_restart() -> bool:
    """Whether torchrun starts processes again after a failure."""
    return number_in_environment("TORCHELASTIC_MAX_RESTARTS", 0) > 0


def number_in_environment(name: str, default: int) -> int:
    """The number in an environment variable, or `default` if it has none."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default

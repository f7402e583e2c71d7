"""Several processes that talk through torch.distributed: gloo between CPUs, NCCL between GPUs."""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from charlm.errors import CharlmError, ConfigError, ProcessError, ProcessLostError
from charlm.processes.environment import in_environment, launcher, number_in_environment, rank_in_environment
from charlm.processes.processes import Processes

_TIMEOUT = timedelta(hours=2)
"""How long processes wait for the first, which may have a large text to encode. One that ends is noticed at once."""

_Json = TypeVar("_Json")


class DistributedProcesses(Processes):
    """One of several processes, which torchrun or another launcher has started."""

    def __init__(self) -> None:
        """Connect to the other processes; waits until all have done so. Raises `ProcessError` if it can't."""
        super().__init__()
        self._local_rank = number_in_environment("LOCAL_RANK", rank_in_environment())
        self._launcher = launcher()
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        try:
            self._store, self.rank, self.size = next(rendezvous("env://", timeout=_TIMEOUT))
            dist.init_process_group(backend, store=self._store, rank=self.rank, world_size=self.size, timeout=_TIMEOUT)
        except (RuntimeError, ValueError) as error:
            raise ProcessError(
                f"process {rank_in_environment()} can't connect to the others at {os.environ['MASTER_ADDR']}:"
                f"{os.environ['MASTER_PORT']}: {_one_line(error)}; check the address, and that no firewall is between"
            ) from None
        self._clock, self._stopping = 0.0, False
        self.total()

    def use(self, device: torch.device) -> None:
        """Select this process's GPU; raises `ConfigError` if there are fewer GPUs than processes, or for MPS."""
        if device.type == "cpu":
            return
        if device.type != "cuda":
            raise ConfigError(f"--device {device.type} can't be used by several processes; use --device cpu")
        if self._local_rank >= torch.cuda.device_count():
            raise ConfigError(
                f"process {self._local_rank} of this machine has no GPU of its own, since torch sees "
                f"{torch.cuda.device_count()}; start at most that many processes on it, or use --device cpu"
            )
        torch.cuda.set_device(self._local_rank)

    def clock(self) -> float:
        """The clock of the first process at the last `total`, in seconds."""
        return self._clock

    @property
    def stopping(self) -> bool:
        """Whether any process had been asked to stop at the last `total`."""
        return self._stopping

    def total(self, values: Sequence[float] | NDArray[np.float64] = ()) -> NDArray[np.float64]:
        """The sums of the values over all processes; also shares the clock and requests to stop."""
        if self._launcher is not None and os.getppid() != self._launcher:  # it was killed
            self.request_stop()
        clock = time.monotonic() if self.is_first else 0.0
        sums = torch.tensor([*values, clock, self._stop_requested], dtype=torch.float64)
        with _naming_loss():
            dist.all_reduce(sums)
        self._clock, self._stopping = float(sums[-2]), bool(sums[-1] > 0)
        totals: NDArray[np.float64] = sums[:-2].numpy()
        return totals

    def sum_in_place(self, tensor: Tensor) -> Tensor:
        """The tensor, which becomes the sum of those of all processes."""
        with _naming_loss():
            dist.all_reduce(tensor)
        return tensor

    def concatenate(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes along the first dimension, in the order of their ranks; all have one shape."""
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        with _naming_loss():
            dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by the sum over all processes, in one message; a missing gradient counts as 0."""
        parameters = list(parameters)
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        buffer = torch.cat([gradient.flatten() for gradient in gradients])
        self.sum_in_place(buffer)
        parts = torch.split(buffer, [one.numel() for one in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    @torch.no_grad()
    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite the tensors with those of the first process."""
        for tensor in tensors:
            copy = tensor.contiguous()
            with _naming_loss():
                dist.broadcast(copy, src=0)
            tensor.copy_(copy)

    def from_first(self, make: Callable[[], _Json]) -> _Json:
        """What `make` returns in the first process, sent to all as JSON."""
        content = json.dumps(make()).encode() if self.is_first else b""
        size = int(self.total([len(content)])[0])
        data = torch.zeros(size, dtype=torch.uint8)
        if self.is_first:
            data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        self.copy_from_first([data])
        received: _Json = json.loads(data.numpy().tobytes())
        return received

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes, in the first; an empty list in the others."""
        own = tensor.contiguous().cpu()
        if own.numel() == 0:
            return [own] * self.size if self.is_first else []
        data = own.flatten().view(torch.uint8)
        parts = [torch.empty_like(data) for _ in range(self.size)] if self.is_first else None
        with _naming_loss():
            dist.gather(data, parts, dst=0)
        return [part.view(own.dtype).view(own.shape) for part in parts or ()]

    def require_same(self, facts: dict[str, Any]) -> None:
        """Raise `ProcessError` in every process if a fact differs from that of the first."""
        first = self.from_first(lambda: facts)
        differs = np.zeros((len(first), self.size))
        for index, (name, value) in enumerate(first.items()):
            differs[index, self.rank] = facts[name] != value
        differs = self.total(differs.ravel()).reshape(differs.shape)
        for name, others in zip(first, differs, strict=True):
            if others.any():
                others_named = ", ".join(map(str, np.flatnonzero(others)))
                raise ProcessError(
                    f"the {name} of process {others_named} differs from that of process 0; give all processes the same"
                )

    @contextlib.contextmanager
    def one_per_machine_first(self) -> Iterator[None]:
        """Let the first process of each machine run the block before its other processes."""
        if self._local_rank > 0:
            self.total()
        yield
        if self._local_rank == 0:
            self.total()

    def is_first_to_fail(self) -> bool:
        """Whether no other process has failed before, as counted in the store that all share."""
        try:
            return bool(self._store.add("charlm/failed", 1) == 1)
        except RuntimeError:  # the process that kept the store has ended
            return True

    def close(self) -> None:
        """Wait for all processes to get here, and leave the group."""
        self.total()
        dist.destroy_process_group()


@contextlib.contextmanager
def joined() -> Iterator[Processes]:
    """The processes that this one was started with; a single one unless a launcher has started several.

    An error in the block is marked as reported in all processes but one. In all but the first, warnings of charlm are
    not logged.
    """
    if not in_environment():
        yield Processes()
        return
    processes: Processes | None = None
    logger = logging.getLogger("charlm")
    level = logger.level
    if rank_in_environment() > 0:
        logger.setLevel(logging.ERROR)
    try:
        if not dist.is_available():
            raise ConfigError("this build of torch has no torch.distributed; use a single process")
        processes = DistributedProcesses()
        yield processes
        processes.close()
    except CharlmError as error:
        by_launcher = isinstance(error, ProcessLostError) and launcher() is not None
        is_first = rank_in_environment() == 0 if processes is None else processes.is_first_to_fail()
        error.is_reported = by_launcher or not is_first
        raise
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _naming_loss() -> Iterator[None]:
    """Turn the error of an operation with other processes into a `ProcessLostError`."""
    try:
        yield
    except RuntimeError:
        raise ProcessLostError(
            "another of the processes has ended without a message, or can't be reached any more; run the command "
            "again, with --resume to continue a training run from its last save"
        ) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

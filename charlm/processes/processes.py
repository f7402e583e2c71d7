"""The processes that train one model together, as one of them sees the others."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_Json = TypeVar("_Json")


class Processes:
    """A single process: nothing to agree on. `charlm.processes.distributed` has the class for several.

    All processes call the methods in the same order. What they then compute from the results is the same everywhere, so
    that each of them takes the same decision: to validate, to save, to stop.
    """

    rank = 0
    """The number of this process, from 0."""
    size = 1
    """How many processes there are."""

    def __init__(self) -> None:
        self._stop_requested = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """The rows of a batch that this process reads: every n-th, so that all have as many of the longest."""
        return slice(self.rank, None, self.size)

    def clock(self) -> float:
        """Seconds, as `time.monotonic`; with several processes those of the first at the last `total`."""
        return time.monotonic()

    @property
    def stopping(self) -> bool:
        """Whether a process has called `request_stop`; with several processes as of the last `total`."""
        return self._stop_requested

    def request_stop(self) -> None:
        """Ask all processes to save and stop."""
        self._stop_requested = True

    def use(self, device: torch.device) -> None:
        """Choose the GPU of this process; raises `ConfigError` for a device that the processes can't share."""

    def total(self, values: Sequence[float] | NDArray[np.float64] = ()) -> NDArray[np.float64]:
        """The sum of the values of all processes, element by element; also sets the common clock."""
        return np.asarray(values, dtype=np.float64)

    def sum_in_place(self, tensor: Tensor) -> Tensor:
        """Replace a contiguous tensor by the sum of those of all processes, and return it."""
        return tensor

    def concatenate(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes, which must have the same shape, one after the other: (N, ...) to (P N, ...)."""
        return tensor

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradient of every parameter by the sum of those of all processes."""

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""

    def from_first(self, make: Callable[[], _Json]) -> _Json:
        """The JSON value that `make` returns in the first process, the only one that calls it."""
        return make()

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """In the first process the tensors of all, which must have the same shape; in the others an empty list."""
        return [tensor]

    def require_same(self, facts: dict[str, Any]) -> None:
        """Raise `ProcessError` in all processes if one has other facts (name to JSON value) than the first."""

    @contextlib.contextmanager
    def one_per_machine_first(self) -> Iterator[None]:
        """Let the first process of each machine run the block before the others, which then find its cached files."""
        yield

    def is_first_to_fail(self) -> bool:
        """Whether no other process has called this before: then this one reports the error."""
        return True

    def close(self) -> None:
        """Wait for all processes to get here, and part."""


def gather_rows(processes: Processes, own: Tensor) -> Tensor | None:
    """In the first process the rows (B, ...) of the whole batch, of which each process passes its `Processes.rows`; in
    the others None."""
    if processes.size == 1:
        return own
    counts = np.zeros(processes.size)
    counts[processes.rank] = len(own)
    counts = processes.total(counts).astype(np.int64)
    padded = own.new_zeros((int(counts.max()), *own.shape[1:]))
    padded[: len(own)] = own
    parts = processes.gather(padded)
    if not parts:
        return None
    rows = own.new_empty((int(counts.sum()), *own.shape[1:]))
    for rank, part in enumerate(parts):
        rows[rank :: processes.size] = part[: counts[rank]]
    return rows

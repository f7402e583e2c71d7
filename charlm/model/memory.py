"""Memory: its size, keeping freed blocks for the next step, and reporting failed allocations as user errors."""

import contextlib
import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path

import torch

from charlm.errors import CharlmError
from charlm.nouns import count_of

_FAILED = re.compile(r"(can't allocate|not enough|out of) memory|std::bad_alloc", re.IGNORECASE)
_BYTES = re.compile(r"allocate (\d+) bytes")

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # parameters of mallopt(3)
_LARGE = 1 << 30  # bytes
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def keep_memory() -> None:
    """Make glibc keep large freed blocks, because every step allocates the same sizes; does nothing without glibc.

    This holds for the rest of the process. By default, blocks above 32 MB, which large vocabularies need, are returned
    to the system, which has to zero them again for the next step.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        if not library.mallopt(_MMAP_THRESHOLD, _LARGE):
            library.mallopt(_MMAP_MAX, 0)  # an older glibc, whose threshold can't exceed 32 MB
        library.mallopt(_TRIM_THRESHOLD, _LARGE)


def machine_memory() -> int | None:
    """Bytes of memory of this machine, or of its container (cgroup v2) if that has less; None if unknown."""
    sizes = list[int]()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):
        sizes.append(int(_CONTAINER_LIMIT.read_text()))  # "max" without a limit
    return min(sizes, default=None)


@contextlib.contextmanager
def naming_memory_errors() -> Iterator[None]:
    """Turn a failed allocation into a `CharlmError`; torch's errors can only be recognised by their text."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not _FAILED.search(str(error)):
            raise
        requested = _BYTES.search(str(error))
        amount = f" (for another {count_of(int(requested[1]), 'byte')})" if requested else ""
        raise CharlmError(
            f"there is not enough memory{amount}; lower --hidden, --layers, --batch-size or --seq-len"
        ) from None

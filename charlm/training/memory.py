"""Memory: what a run keeps for its next steps, and running out of it as an error that a user can mend."""

import contextlib
import ctypes
import re
from collections.abc import Iterator

import torch

from charlm.errors import CharlmError

_FAILED = re.compile(r"(can't allocate|not enough|out of) memory|std::bad_alloc", re.IGNORECASE)
_BYTES = re.compile(r"allocate (\d+) bytes")

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # of mallopt(3)
_LARGE = 1 << 30  # bytes


def keep_memory() -> None:
    """Let the C library keep large blocks that are freed, where it is glibc: steps want the same ones again.

    It is so for the whole process from then on. Otherwise blocks above 32 MB, which large vocabularies need, go back to
    the system, which has to clear them for the next step.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        if not library.mallopt(_MMAP_THRESHOLD, _LARGE):
            library.mallopt(_MMAP_MAX, 0)  # an older one, which has no such threshold above 32 MB
        library.mallopt(_TRIM_THRESHOLD, _LARGE)


@contextlib.contextmanager
def memory_named() -> Iterator[None]:
    """Turn an allocation that failed into a `CharlmError`; torch tells it from other errors by its text alone."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not _FAILED.search(str(error)):
            raise
        asked = _BYTES.search(str(error))
        raise CharlmError(
            f"there is not enough memory{f' (for {int(asked[1]):,} bytes more)' if asked else ''}; lower --hidden, "
            "--layers, --batch-size or --seq-len"
        ) from None

"""Memory that runs out, as an error that a user can mend."""

import contextlib
import re
from collections.abc import Iterator

import torch

from charlm.errors import CharlmError

_FAILED = re.compile(r"(can't allocate|not enough|out of) memory|std::bad_alloc", re.IGNORECASE)
_BYTES = re.compile(r"allocate (\d+) bytes")


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

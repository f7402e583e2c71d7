"""A text file that grows, and can be cut back to a length it had."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.errors import RunError

logger = logging.getLogger(__name__)

_FREE = "free some space and go on with --resume"


@contextlib.contextmanager
def writing(path: Path, remedy: str) -> Iterator[None]:
    """Turn an `OSError` into a `RunError` that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        raise RunError(f"can't write to {path}: {error.strerror}; {remedy}") from None


class AppendLog:
    """A text file that grows, and can be cut back to a length it had."""

    def __init__(self, path: Path, length: int) -> None:
        """Open at `length` bytes; whatever a killed process wrote beyond it goes. A shorter file stays as it is."""
        self._path = path
        with writing(path, _FREE):
            self._file = path.open("ab", buffering=0)
            size = os.fstat(self._file.fileno()).st_size
            self._file.truncate(min(length, size))
        if size < length:
            logger.warning("%s is shorter than the run left it; what it held is lost, and training goes on", path)

    def write(self, text: str) -> None:
        """Append, and hand over to the operating system at once; raises `RunError` when the disk is full."""
        rest = text.encode()
        with writing(self._path, _FREE):
            while rest:
                rest = rest[self._file.write(rest) :]

    def sync(self) -> int:
        """Bytes so far, all of them on the disk; raises `RunError` when they can't be."""
        with writing(self._path, _FREE):
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

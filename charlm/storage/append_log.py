"""Text files that are appended to, and truncated when a run is resumed."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.errors import RunError
from charlm.storage.run_file import open_run_file

logger = logging.getLogger(__name__)

_REMEDY = "free some space and continue with --resume"


@contextlib.contextmanager
def naming_write_errors(path: Path, remedy: str) -> Iterator[None]:
    """Turn an `OSError` into a `RunError` that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        raise RunError(f"can't write to {path}: {error.strerror}; {remedy}") from None


class AppendLog:
    """A text file that is appended to."""

    def __init__(self, path: Path, length: int) -> None:
        """Open and truncate to `length` bytes, dropping what a killed process wrote after its last save.

        A shorter file stays as it is. Raises `RunError` when the file can't be written.
        """
        self._path = path
        with naming_write_errors(path, _REMEDY):
            self._file = os.fdopen(open_run_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0)
            try:
                size = os.fstat(self._file.fileno()).st_size
                self._file.truncate(min(length, size))
            except BaseException:
                self._file.close()
                raise
        if size < length:
            logger.warning("%s is shorter than at the last save, so records are missing; training continues", path)

    def write(self, text: str) -> None:
        """Append without buffering; raises `RunError` when the disk is full."""
        rest = text.encode()
        with naming_write_errors(self._path, _REMEDY):
            while rest:
                rest = rest[self._file.write(rest) :]

    def sync(self) -> int:
        """Flush the file to disk and return its length in bytes; raises `RunError` when it can't be written."""
        with naming_write_errors(self._path, _REMEDY):
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

"""A lock on a folder, so that only one process writes to it; the system releases it when the process ends."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.errors import RunError
from charlm.storage.run_file import open_run_file

try:
    import fcntl
except ImportError:  # on Windows two processes are not kept apart
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""The lock file. It is never removed: otherwise another process could lock a new file of the same name."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Lock an existing folder; False if the system or the file system has no locks.

    Raises `RunError` when another process has locked the folder or it can't be written to.
    """
    try:
        descriptor = open_run_file(folder / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise RunError(f"can't write to {folder}: {error.strerror}; name another folder with --run") from None
    try:
        held = _lock(descriptor, folder)
        with contextlib.suppress(OSError):  # the process id is only for the message
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield held
    finally:
        os.close(descriptor)


def require_unlocked(folder: Path) -> None:
    """Raise `RunError` when another process has locked the folder."""
    if fcntl is None:
        return
    try:
        descriptor = open_run_file(folder / LOCK, os.O_RDWR)
    except OSError:  # there is no lock, or it can't be locked by anyone
        return
    try:
        _lock(descriptor, folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode(errors="replace")
        raise RunError(
            f"run folder {folder} is in use by process {holder}; wait until it ends, or name another with --run"
        ) from None
    except OSError:  # a file system without locks
        return False

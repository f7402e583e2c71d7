"""A folder that one process at a time writes to: the lock is the operating system's, and goes when its holder does."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.errors import RunError

try:
    import fcntl
except ImportError:  # Windows has none, and there two processes are not kept apart
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""The file in the folder; it stays there, since to remove it would let a third process lock another of that name."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder that exists; raises `RunError` where another process does, or where it can't be written to."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(f"can't write to {folder}: {error.strerror}; name another folder with --run") from None
    try:
        _lock(descriptor, folder)
        with contextlib.suppress(OSError):  # the number is for the message only
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode(errors="replace")
        raise RunError(
            f"run folder {folder} is in use by process {holder}; wait until it has ended, or name another with --run"
        ) from None
    except OSError:  # a file system without locks
        pass

"""Atomic file writes, and the cache folder."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import platformdirs

from charlm.errors import CharlmError


def cache_path(part: str) -> Path:
    """A subfolder of the cache, which may not exist: of CHARLM_CACHE if set, otherwise of the user's cache folder."""
    return Path(os.environ.get("CHARLM_CACHE") or platformdirs.user_cache_dir("charlm", appauthor=False)) / part


def cache_folder(part: str) -> Path:
    """`cache_path`, created if missing; raises `CharlmError` when it can't be."""
    folder = cache_path(part)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CharlmError(
            f"can't create the cache folder {folder}: {error.strerror}; set CHARLM_CACHE to a writable folder"
        ) from None
    return folder


def atomic_write(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` atomically at the end of the block.

    The bytes go to a temporary file in the same folder, which is flushed to disk and renamed. At any moment `path`
    contains either the old bytes or all of the new ones. Raises `CharlmError` when the bytes can't be written (a full
    disk, no permission). Then, and when the block raises an error, the old file is untouched.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        kept = "; the old file is kept" if path.exists() else ""
        raise CharlmError(
            f"can't write {path}: {error.strerror}{kept}; free some space or choose another folder"
        ) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def is_safetensors(path: Path) -> bool:
    """Whether a file starts like safetensors: the header's length in eight bytes, then a JSON object."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return False
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

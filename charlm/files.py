"""Atomic file writes, JSON files with a checksum, regular files, and the cache folder."""

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs

from charlm.errors import CharlmError

CONFIG_FILE = "config.json"
"""The files of a run folder; `charlm.storage.runs.folder` says what they hold."""
NEW_CONFIG_FILE = "config.new.json"
METRICS_FILE = "metrics.jsonl"
SAMPLES_FILE = "samples.txt"
MODEL_FILE = "model.safetensors"
RESUME_FILE = "resume.safetensors"

MADE_BY = "Made with charlm"
"""What pages and plots say of themselves, so that charlm may replace them."""
_MARKED_BYTES = 1 << 16
_SEAL = "sha256"
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows lacks these
_SAFE_FLAGS = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def user_path(name: str | Path) -> Path:
    """A path as a user types it: ~ at its start, if the shell has left it there, is the home folder."""
    is_home = str(name).startswith("~") and not os.path.lexists(name)
    return Path(os.path.expanduser(name)) if is_home else Path(name)


def cache_path(part: str) -> Path:
    """A subfolder of the cache, which may not exist: of CHARLM_CACHE if set, otherwise of the user's cache folder."""
    return Path(os.environ.get("CHARLM_CACHE") or platformdirs.user_cache_dir("charlm", appauthor=False)) / part


def cache_folder(part: str, *, private: bool = False) -> Path:
    """`cache_path`, created if missing; raises `CharlmError` when it can't be.

    A new folder that is `private` can be read and written by this user alone.
    """
    folder = cache_path(part)
    try:
        folder.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
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


def is_leftover(path: Path, target: Path) -> bool:
    """Whether a path is a temporary file of `replacing(target)`, going by its name; a killed process leaves one."""
    named = re.fullmatch(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}\.tmp", path.name) is not None
    return named and path.is_file() and not path.is_symlink()


def flush(path: Path) -> None:
    """Flush a file to disk; raises `OSError`."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Flush all files of a folder to disk, and the folder itself if the system can; raises `OSError`."""
    for path in folder.iterdir():
        flush(path)
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class IrregularFileError(OSError):
    """A file is a symbolic link, folder, pipe or device; `strerror` says so, after the file's name."""


def open_regular(path: Path, flags: int) -> int:
    """Open a regular file as `os.open` does, without following a symbolic link at its end, and return its descriptor.

    Raises `IrregularFileError` for anything else, and `OSError` as `os.open` does.
    """
    require_regular(path)
    descriptor = os.open(path, flags | _SAFE_FLAGS, 0o666)
    try:
        _check_regular(path, os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def require_regular(path: Path) -> None:
    """Raise `IrregularFileError` if a path exists and is no regular file; a symbolic link isn't followed."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        _check_regular(path, path.lstat())


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise IrregularFileError(errno.ELOOP, "is a symbolic link", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise IrregularFileError(errno.EINVAL, "is not a regular file", str(path))


def parse_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object from a file; raises `ValueError` for anything else, also if it is nested too deeply."""
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"it must be an object, not {type(values).__name__}")
    return values


def json_sha256(values: Mapping[str, Any]) -> str:
    """A hash of JSON values, whatever the order of their keys; raises `ValueError` if they are nested too deeply."""
    try:
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def seal(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values with their hash as one more key."""
    return {**values, _SEAL: json_sha256(values)}


def unseal(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values that were given to `seal`; None if they never were. Raises `ValueError` if they have changed."""
    rest = dict(values)
    if (sealed := rest.pop(_SEAL, None)) is None:
        return None
    if sealed != json_sha256(rest):
        raise ValueError("its content differs from what was saved")
    return rest


def is_safetensors(path: Path) -> bool:
    """Whether a file starts like safetensors: the header's length in eight bytes, then a JSON object."""
    if not os.path.isfile(path):  # what is read from a pipe is lost to its reader
        return False
    try:
        with path.open("rb") as file:
            start = file.read(9)
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return False
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def is_made_by_charlm(path: Path) -> bool:
    """Whether a page or a plot contains `MADE_BY`, near its start or its end; False if it can't be read."""
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            start = file.read(_MARKED_BYTES)
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MARKED_BYTES))
            return MADE_BY.encode() in start or MADE_BY.encode() in file.read()
    except OSError:
        return False


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

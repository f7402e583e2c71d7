"""Files that are replaced whole or not at all, and the folder for what can be made again."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import platformdirs

from charlm.errors import CharlmError


def cache_path(part: str) -> Path:
    """Where downloads and encoded texts are, if there are any: in CHARLM_CACHE if set, else in the user's cache."""
    return Path(os.environ.get("CHARLM_CACHE") or platformdirs.user_cache_dir("charlm", appauthor=False)) / part


def cache_folder(part: str) -> Path:
    """`cache_path`, made if missing."""
    folder = cache_path(part)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CharlmError(
            f"can't make the cache folder {folder}: {error.strerror}; set CHARLM_CACHE to a folder that can be written"
        ) from None
    return folder


def atomic_write(path: Path, content: bytes) -> None:
    """Replace `path` by `content`; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write what `path` shall hold, so that at every instant it holds either the old bytes or all of the new.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and take the name by a rename.
    Raises `CharlmError` when they can't be written (a full disk, no permission). Then, and where the block fails, the
    old file is untouched.
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
        kept = "; the file that was there is kept" if path.exists() else ""
        raise CharlmError(
            f"can't write {path}: {error.strerror}{kept}; free some space or choose another folder"
        ) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of its header in eight bytes, then a JSON object."""
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

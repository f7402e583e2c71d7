"""The files of a run folder, which may come from a stranger: regular files only, and links are never followed.

A link could make charlm overwrite or append to a file outside of the folder.
"""

import os
from pathlib import Path

from charlm.errors import RunError
from charlm.files import IrregularFileError, open_regular, require_regular


def open_run_file(path: Path, flags: int) -> int:
    """Open a file as `os.open` does; raises `RunError` unless it is a regular file, and `OSError` as `os.open` does."""
    try:
        return open_regular(path, flags)
    except IrregularFileError as error:
        raise _refused(path, error) from None


def read_run_file(path: Path) -> str:
    """The text of a file; raises as `open_run_file`, and `UnicodeDecodeError` if it is not UTF-8."""
    with os.fdopen(open_run_file(path, os.O_RDONLY), encoding="utf-8") as file:
        return file.read()


def check_run_file(path: Path) -> None:
    """Raise `RunError` for a file that exists and is not a regular one."""
    try:
        require_regular(path)
    except IrregularFileError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: IrregularFileError) -> RunError:
    return RunError(f"{path} {error.strerror}, which charlm doesn't touch in a run folder; remove it, or copy the file")

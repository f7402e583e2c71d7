"""The instants of a run at which its files are changed, or something is calculated from them."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import RUN

from charlm.training import validation

OPERATIONS = {"open", "fdopen", "write", "half written", "fsync", "chmod", "replace", "truncate", "unlink", "mkdir"}


@contextlib.contextmanager
def watched(on_instant: Callable[[str], None]) -> Iterator[None]:
    """Call `on_instant` before every change of a file in the run folder and in the middle of every write."""
    plain = {name: getattr(os, name) for name in ("open", "fdopen", "fsync", "chmod", "replace", "unlink", "mkdir")}

    def watch(name: str) -> Callable[..., Any]:
        def operation(place: Any, *arguments: Any, **options: Any) -> Any:
            changes = name != "open" or arguments[0] & os.O_CREAT
            if changes and in_run_folder(place):
                on_instant(name)
            result = plain[name](place, *arguments, **options)
            return WatchedFile(result, on_instant) if name == "fdopen" and in_run_folder(place) else result

        return operation

    best_temperature = validation.best_temperature

    def calibrated(*arguments: Any) -> float:
        on_instant("before calibration")
        temperature = best_temperature(*arguments)
        on_instant("after calibration")
        return temperature

    with pytest.MonkeyPatch.context() as patch:
        for name in plain:
            patch.setattr(os, name, watch(name))
        patch.setattr(validation, "best_temperature", calibrated)
        yield


def in_run_folder(place: Any) -> bool:
    """Whether a path or the file behind a descriptor is in the run folder, or the folder itself."""
    if isinstance(place, int):
        if not RUN.is_dir():
            return False
        return os.fstat(place).st_ino in {path.lstat().st_ino for path in RUN.iterdir()}
    path = Path(place).absolute()
    return path == RUN.absolute() or path.parent == RUN.absolute()


class WatchedFile:
    """A file each of whose writes has an instant in the middle."""

    def __init__(self, file: Any, on_instant: Callable[[str], None]) -> None:
        self._file, self._on_instant = file, on_instant

    def write(self, content: bytes) -> int:
        half = len(content) // 2
        self._on_instant("write")
        self._file.write(content[:half])
        self._file.flush()
        self._on_instant("half written")
        self._file.write(content[half:])
        return len(content)

    def truncate(self, size: int) -> int:
        self._on_instant("truncate")
        return int(self._file.truncate(size))

    def __enter__(self) -> "WatchedFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

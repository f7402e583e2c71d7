"""The runs as the page shows them, from their files alone: the figures since the last look, samples, and deletion."""

import json
import os
from pathlib import Path
from typing import Any

from charlm.analysis.runs.curves import read_samples
from charlm.errors import RunError
from charlm.server.errors import ConflictError, NotFoundError, RequestError
from charlm.storage.direction import FOLDER, direction_paths
from charlm.storage.lock import LOCK, require_unlocked
from charlm.storage.run_file import open_run_file
from charlm.storage.runs import RUNS, RunFolder, run_names

_MOST_BYTES = 2_000_000  # of the figures in one answer


def find_run_folder(name: str) -> RunFolder:
    """A run by its name; raises `NotFoundError` for what is not the name of one in the runs folder."""
    if name not in run_names() or (RUNS / name).is_symlink():
        raise NotFoundError(f"there is no run {name!r}; choose another")
    return RunFolder(RUNS / name)


def check_new_name(name: str) -> None:
    """Raise `RequestError` for what a new run can't be called from the page."""
    if not name or len(name.encode()) > 100 or name.startswith((".", "-")) or set(name) & set("/\\\0") or ":" in name:
        raise RequestError(f"a run can't be called {name!r}; use letters, digits, spaces and hyphens", param="run")


def is_training(run: RunFolder) -> bool:
    """Whether a process, of this server or of a terminal, is training the run."""
    try:
        require_unlocked(run.path)
    except RunError:
        return True
    return False


def figures_since(run: RunFolder, offset: int) -> dict[str, Any]:
    """The records of a run that were written after `offset`, and the offset for the next look.

    If the run was started again, all records are given and `restarted` is true.
    """
    try:
        with os.fdopen(open_run_file(run.metrics, os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            restarted = offset > size
            offset = 0 if restarted else offset
            file.seek(offset)
            data = file.read(_MOST_BYTES)
    except (OSError, RunError):
        return {"records": [], "offset": 0, "restarted": offset > 0, "more": False}
    end = data.rfind(b"\n") + 1
    records = []
    for line in data[:end].splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue  # damaged, or replaced while it was read
    return {"records": records, "offset": offset + end, "restarted": restarted, "more": offset + end < size}


def samples_of(run: RunFolder) -> list[dict[str, Any]]:
    """The texts that a run has written so far; none before its first validation."""
    try:
        return [sample.to_json() for sample in read_samples(run)]
    except RunError:
        return []


def delete_run(run: RunFolder) -> None:
    """Remove the files of a run, and its folder unless something else is in it.

    Raises `ConflictError` while the run is training.
    """
    if is_training(run):
        raise ConflictError(f"{run.path.name} is training; stop it first")
    paths: list[Path] = [*run.files, run.path / LOCK]
    if not (run.path / FOLDER).is_symlink():
        paths += direction_paths(run.model)
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in (run.path / FOLDER, run.path):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

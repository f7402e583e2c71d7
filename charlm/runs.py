"""Run folders: where a training run keeps its files, and how runs are found by name.

runs/NAME/config.json          what was asked for
runs/NAME/metrics.jsonl        one record a line
runs/NAME/samples.txt          what the model wrote while it learnt
runs/NAME/model.safetensors    the weights that did best on validation
runs/NAME/resume.safetensors   everything needed to go on
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from charlm.errors import RunError
from charlm.files import atomic_write

RUNS = Path("runs")


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples.txt"
        self.model = path / "model.safetensors"
        self.resume = path / "resume.safetensors"

    def create(self, config: dict[str, Any], *, overwrite: bool) -> None:
        """Make the folder and write its configuration.

        Raises `RunError` when it isn't empty and `overwrite` is not set, or when it can't be written. Overwriting
        removes the files of a run and nothing else.
        """
        self.require_room(overwrite=overwrite)
        try:
            if self.path.is_dir():
                self.clear()
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"can't write to {self.path}: {error.strerror}; name another folder with --run") from None
        self.write_config(config)

    def require_room(self, *, overwrite: bool) -> None:
        """Raise `RunError` unless a run may begin here: no folder, an empty one, or one to be overwritten."""
        try:
            if self.path.exists() and not self.path.is_dir():
                raise RunError(f"{self.path} is a file; name another folder with --run")
            if not overwrite and self.path.is_dir() and any(self.path.iterdir()):
                raise RunError(
                    f"run folder {self.path} is not empty; go on with --resume, start anew with --overwrite, or "
                    "name another with --run"
                )
        except OSError as error:
            raise RunError(f"can't look into {self.path}: {error.strerror}; name another with --run") from None

    def write_config(self, config: dict[str, Any]) -> None:
        """Replace the configuration."""
        atomic_write(self.config, json.dumps(config, indent=2, ensure_ascii=False).encode())

    def clear(self) -> None:
        """Remove the files of a run, and the folder if nothing else is in it."""
        for path in (self.config, self.metrics, self.samples, self.model, self.resume):
            path.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            shutil.rmtree(self.path)

    def read_config(self) -> dict[str, Any]:
        """What `create` wrote; raises `RunError` where there is no run or the file is damaged."""
        try:
            config = json.loads(self.config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"no run in {self.path}; train one, or name another with --run") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{self.config} can't be read: {error}") from None
        if not isinstance(config, dict):
            raise RunError(f"{self.config} is damaged: not a JSON object")
        return config


class AppendOnly:
    """A text file that grows, and can be cut back to a length it had."""

    def __init__(self, path: Path, length: int) -> None:
        """Open at `length` bytes; whatever a killed process wrote beyond it goes."""
        try:
            self._file = path.open("ab")
            self._file.truncate(length)
        except OSError as error:
            raise RunError(f"can't write {path}: {error.strerror}") from None
        self._path = path

    @property
    def length(self) -> int:
        """Bytes so far."""
        return os.fstat(self._file.fileno()).st_size

    def write(self, text: str) -> None:
        """Append, and hand over to the operating system at once; raises `RunError` when the disk is full."""
        try:
            self._file.write(text.encode())
            self._file.flush()
        except OSError as error:
            raise RunError(
                f"can't write {self._path}: {error.strerror}; free some space and go on with --resume"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def new_run(name: str, *, overwrite: bool = False) -> Path:
    """runs/NAME, or runs/NAME-2 and so on where that is taken and not to be overwritten."""
    name = name.replace(os.sep, "-").lstrip(".") or "run"
    path, number = RUNS / name, 1
    while path.exists() and not overwrite:
        number += 1
        path = RUNS / f"{name}-{number}"
    return path


def find_run(name: str) -> Path:
    """A run folder by path or by name: a name without a slash is that of a run in runs/."""
    path = Path(name)
    if len(path.parts) != 1 or (path / "config.json").is_file():
        return path
    return RUNS / name


def newest_run(holding: str) -> Path:
    """The run in runs/ whose file of that name was written last; raises `RunError` where there is none."""
    found = [path for path in RUNS.glob(f"*/{holding}") if path.is_file()]
    if not found:
        raise RunError(f"no trained run in {RUNS}/ here; train one with `charlm train TEXT`, or name a model file")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def find_model(name: str | None) -> Path:
    """A model file: the file named, the model of a run folder or run named, or that of the newest run.

    Raises `RunError` where there is none.
    """
    if name is None:
        return newest_run("model.safetensors") / "model.safetensors"
    path = Path(name)
    if not path.is_file():
        path = find_run(name) / "model.safetensors"
    if not path.is_file():
        raise RunError(f"no model {name!r}: give a model file, a run folder, or the name of a run in {RUNS}/")
    return path


def names_model(name: str) -> bool:
    """Whether an argument means a model rather than a text: a .safetensors file or a run."""
    path = find_run(name)
    return name.endswith(".safetensors") or (path.is_dir() and (path / "config.json").is_file())

"""Run folders: where a training run keeps its files, and how runs are found by name.

runs/NAME/config.json          what was asked for
runs/NAME/metrics.jsonl        one record a line
runs/NAME/samples.txt          what the model wrote while it learnt
runs/NAME/model.safetensors    the weights that did best on validation
runs/NAME/resume.safetensors   everything needed to go on
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.config import RunConfig
from charlm.errors import ConfigError, RunError
from charlm.files import atomic_write, is_safetensors
from charlm.storage.append_log import writing
from charlm.storage.lock import LOCK, held

RUNS = Path("runs")
PRETRAINED = Path(__file__).parents[1] / "pretrained"
"""Models that come with charlm, a folder each."""
MODEL = "model.safetensors"
_NO_UTF8 = frozenset(map(chr, range(0xDC80, 0xDD00)))  # what Python makes of bytes in a path that are not UTF-8


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples.txt"
        self.model = path / MODEL
        self.resume = path / "resume.safetensors"

    @contextlib.contextmanager
    def begun(self, config: RunConfig, *, overwrite: bool) -> Iterator[None]:
        """Make the folder, write its configuration, and hold it.

        Raises `RunError` when it isn't empty and `overwrite` is not set, when another process holds it, or when it
        can't be written. The model of a run that is overwritten stays until there is a new one to take its place.
        """
        self.require_room(overwrite=overwrite)
        with writing(self.path, "name another folder with --run"):
            self.path.mkdir(parents=True, exist_ok=True)
        with held(self.path):
            self.require_room(overwrite=overwrite)
            with writing(self.resume, "name another folder with --run"):
                self.resume.unlink(missing_ok=True)  # first: it must not stand beside another run's configuration
            self.write_config(config)
            yield

    @contextlib.contextmanager
    def reopened(self) -> Iterator[RunConfig]:
        """Hold a run that was begun before, and tell what was asked of it; raises `RunError` as `read_config` does."""
        self._require_run()
        with held(self.path):
            yield self.read_config()

    def require_room(self, *, overwrite: bool) -> None:
        """Raise `RunError` unless a run may begin here: no folder, an empty one, or one to be overwritten."""
        if not _NO_UTF8.isdisjoint(str(self.path)):
            raise RunError(f"{str(self.path)!r} is not UTF-8, as the name of a run must be; name another with --run")
        try:
            if self.path.exists() and not self.path.is_dir():
                raise RunError(f"{self.path} is a file; name another folder with --run")
            if not overwrite and self.path.is_dir() and {path.name for path in self.path.iterdir()} - {LOCK}:
                raise RunError(
                    f"run folder {self.path} is not empty; go on with --resume, start anew with --overwrite, or "
                    "name another with --run"
                )
        except OSError as error:
            raise RunError(f"can't look into {self.path}: {error.strerror}; name another with --run") from None

    def write_config(self, config: RunConfig) -> None:
        """Replace the configuration."""
        atomic_write(self.config, json.dumps(config.to_json(), indent=2).encode())  # ASCII: a path need not be UTF-8

    def read_config(self) -> RunConfig:
        """What was asked of the run; raises `RunError` where there is no run or the file is damaged."""
        self._require_run()
        try:
            return RunConfig.from_json(json.loads(self.config.read_text(encoding="utf-8")))
        except ConfigError as error:
            raise RunError(f"{self.config} is damaged: {error}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.config} can't be read: {error}") from None

    def _require_run(self) -> None:
        if not os.path.isfile(self.config):
            raise RunError(f"no run in {self.path}; train one, or name another with --run")


def new_run(name: str) -> Path:
    """runs/NAME, or runs/NAME-2 and so on where that is taken."""
    name = "".join("_" if character in _NO_UTF8 else character for character in name)
    name = name.replace(os.sep, "-").lstrip(".") or "run"
    path, number = RUNS / name, 1
    while os.path.lexists(path):
        number += 1
        path = RUNS / f"{name}-{number}"
    return path


def find_run(name: str) -> Path:
    """A run folder by path or by name: a name without a slash is that of a run in runs/.

    Raises `RunError` for what can't be a run's own folder: an empty name, the working folder, or one above it.
    """
    path = Path(name)
    if path.name in ("", ".."):
        raise RunError(
            f"--run is {name!r}; give a name, such as first, or a folder of the run's own, such as {RUNS}/first"
        )
    return path if _is_path(name) or os.path.isfile(path / "config.json") else RUNS / name


def _is_path(name: str) -> bool:
    return os.sep in name or (os.altsep is not None and os.altsep in name)


def newest_run(holding: str) -> Path:
    """The run in runs/ whose file of that name was written last; raises `RunError` where there is none."""
    found = [path for path in RUNS.glob(f"*/{holding}") if path.is_file()]
    if not found:
        raise RunError(
            f"no trained run in {RUNS}/ here; train one with `charlm train TEXT`, or name a model file, or reviews, "
            "the model that comes with charlm"
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent


def newest_models() -> list[Path]:
    """The models of all runs in runs/, the one written last first."""
    found = [path for path in RUNS.glob(f"*/{MODEL}") if path.is_file()]
    return sorted(found, key=lambda path: -path.stat().st_mtime)


def find_model(name: str | None) -> Path:
    """A model file: the file named, the one in the folder named, that of the run of that name or of that name among
    those that come with charlm, or that of the newest run.

    Raises `RunError` where there is none.
    """
    if name is None:
        return newest_run(MODEL) / MODEL
    for path in _models(name, RUNS, PRETRAINED):
        if os.path.isfile(path):
            return path
    raise RunError(
        f"no model {name!r}: give a model file, a run folder, the name of a run in {RUNS}/, or reviews, the model that "
        "comes with charlm"
    )


def names_model(name: str, *, text_follows: bool = False) -> bool:
    """Whether an argument means a model rather than a text: a model file, a folder with one, or a run without.

    The name of a model that comes with charlm may be that of a text, too: it means the model where a text follows.
    """
    own, shipped = (_models(name, where) for where in (RUNS, PRETRAINED))
    return (
        name.endswith(".safetensors")
        or is_safetensors(Path(name))
        or any(os.path.isfile(path.parent / file) for path in own[1:] for file in (MODEL, "metrics.jsonl"))
        or (text_follows and not os.path.exists(name) and any(map(os.path.isfile, shipped)))
    )


def _models(name: str, *folders: Path) -> list[Path]:
    """Where the model may be that a name means: it may be a file, a folder, or a name in one of these folders."""
    if not name:
        return []
    inside = [] if _is_path(name) or name in (".", "..") else [folder / name / MODEL for folder in folders]
    return [Path(name), Path(name) / MODEL, *inside]

"""Run folders with the files of a training run, and finding runs and models by name.

runs/NAME/config.json          the configuration of the run
runs/NAME/metrics.jsonl        one record per line
runs/NAME/samples.txt          texts that the model wrote during training
runs/NAME/model.safetensors    the weights that were best on validation
runs/NAME/resume.safetensors   everything needed to continue
runs/NAME/config.new.json      the configuration of a run that replaces this one and has saved nothing yet
"""

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from charlm.config import RunConfig
from charlm.config.names import closest
from charlm.data.inputs.mistakes import looks_like
from charlm.errors import ConfigError, RunError
from charlm.files import (
    CONFIG_FILE,
    METRICS_FILE,
    MODEL_FILE,
    NEW_CONFIG_FILE,
    RESUME_FILE,
    SAMPLES_FILE,
    atomic_write,
    is_leftover,
    is_safetensors,
    parse_object,
    user_path,
)
from charlm.storage.append_log import naming_write_errors
from charlm.storage.lock import LOCK, locked, require_unlocked
from charlm.storage.run_file import check_run_file, open_run_file, read_run_file

logger = logging.getLogger(__name__)

RUNS = Path("runs")
PRETRAINED = Path(__file__).parents[1] / "pretrained"
"""The bundled models, a folder each."""
_BRIEF = 20  # a run with this many times as many steps as another makes that one brief
_LAST_RECORDS = 4096  # bytes at the end of metrics.jsonl, several records
_UNDECODED_BYTES = frozenset(
    map(chr, range(0xDC80, 0xDD00))
)  # Python's stand-ins for bytes of a path that are not UTF-8


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / CONFIG_FILE
        self.metrics = path / METRICS_FILE
        self.samples = path / SAMPLES_FILE
        self.model = path / MODEL_FILE
        self.resume = path / RESUME_FILE
        self.new_config = path / NEW_CONFIG_FILE
        self.files = (self.config, self.metrics, self.samples, self.model, self.resume, self.new_config)

    @contextlib.contextmanager
    def begun(self, config: RunConfig, *, overwrite: bool) -> Iterator[None]:
        """Create the folder, write its configuration, and lock it for the length of the block.

        A run that is overwritten stays as it is, except for its records and samples, until `settle`.

        Raises `RunError` when the folder isn't empty and `overwrite` is not set, when another process has locked it, or
        when it can't be written.
        """
        self.require_room(overwrite=overwrite)
        with naming_write_errors(self.path, "name another folder with --run"):
            self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path) as held:
            if not overwrite and not self._is_empty():  # another process was faster
                raise self._not_empty()
            self._check_files()
            if held:
                self._remove_leftovers()
            replaces = any(path.exists() for path in (self.config, self.model, self.resume))
            self._write(self.new_config if replaces else self.config, config)
            yield

    def settle(self) -> None:
        """Remove what is left of a run that this one replaces; to be called when the resume file is that of step 0.

        A process that is killed before leaves the old configuration and model, one that is killed after this leaves the
        new configuration and no model.
        """
        with naming_write_errors(self.path, "name another folder with --run"):
            if self.new_config.exists():
                os.replace(self.new_config, self.config)
            self.model.unlink(missing_ok=True)

    @contextlib.contextmanager
    def reopened(self) -> Iterator[RunConfig]:
        """Lock an existing run for the length of the block, and read its configuration.

        Raises `RunError` as `read_config` does, or when another process has locked the folder.
        """
        if not self.new_config.exists():
            self._require_run()
        with locked(self.path) as held:
            self._check_files()
            if held:
                self._remove_leftovers()
            yield self._read(self.new_config) if self.new_config.exists() else self.read_config()

    def can_continue(self) -> bool:
        """Whether the run has a resume file; without one it begins anew.

        Raises `RunError` if there is a model, which a run that begins anew would overwrite.
        """
        if self.new_config.exists():  # the resume file and the model are those of the run that is replaced
            return False
        if not self.resume.exists() and self.model.exists():
            raise RunError(
                f"{self.resume} is missing, so run {self.path} can't be continued; restore that file, or start a new "
                f"run from the model with `charlm train TEXT --init-from {self.path}`"
            )
        return self.resume.exists()

    def require_room(self, *, overwrite: bool) -> None:
        """Raise `RunError` unless a run may start here: the folder is missing, or empty or to be overwritten and not in
        use."""
        if not _UNDECODED_BYTES.isdisjoint(str(self.path)):
            raise RunError(f"{str(self.path)!r} is not UTF-8; a run needs a UTF-8 name, so name another with --run")
        try:
            if self.path.exists() and not self.path.is_dir():
                raise RunError(f"{self.path} is a file; name another folder with --run")
            if not self.path.is_dir():
                return
            require_unlocked(self.path)
            if not overwrite and not self._is_empty():
                raise self._not_empty()
        except OSError as error:
            raise RunError(f"can't read {self.path}: {error.strerror}; name another with --run") from None

    def _is_empty(self) -> bool:
        """Whether the folder has nothing but what a killed process may leave."""
        return all(map(self._is_left_behind, self.path.iterdir()))

    def _not_empty(self) -> RunError:
        return RunError(
            f"run folder {self.path} is not empty; continue it with --resume, replace it with --overwrite, or name "
            "another with --run"
        )

    def write_config(self, config: RunConfig) -> None:
        """Replace the configuration."""
        self._write(self.new_config if self.new_config.exists() else self.config, config)

    def read_config(self) -> RunConfig:
        """The configuration of the run; raises `RunError` when there is no run or the file is damaged."""
        self._require_run()
        return self._read(self.config)

    def _write(self, path: Path, config: RunConfig) -> None:
        atomic_write(path, json.dumps(config.to_json(), indent=2).encode())  # ASCII, since a path may not be UTF-8

    def _read(self, path: Path) -> RunConfig:
        try:
            return RunConfig.from_json(parse_object(read_run_file(path)))
        except ConfigError as error:
            raise RunError(f"{path} is damaged: {error}") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path} can't be read: {error}") from None

    def _check_files(self) -> None:
        """Raise `RunError` if one of the files is no regular file."""
        for path in self.files:
            check_run_file(path)

    def _is_left_behind(self, path: Path) -> bool:
        """Whether a file of the folder is the lock or a temporary file that a killed process left."""
        replaced = (self.config, self.model, self.resume, self.new_config)
        return path.name == LOCK or any(is_leftover(path, target) for target in replaced)

    def _remove_leftovers(self) -> None:
        """Remove the temporary files of killed processes; the lock must be held."""
        with naming_write_errors(self.path, "name another folder with --run"):
            for path in self.path.iterdir():
                if path.name != LOCK and self._is_left_behind(path):
                    path.unlink()

    def _require_run(self) -> None:
        if not os.path.isfile(self.config):
            if self.resume.exists() and not os.path.lexists(self.config):
                raise RunError(
                    f"{self.config} is missing; restore it, or start a new run from the model with "
                    f"`charlm train TEXT --init-from {self.path}`"
                )
            near = closest(self.path.name, run_names())
            hint = f"did you mean --run {near}?" if near is not None else "train one, or name another with --run"
            raise RunError(f"no run in {self.path}; {hint}")


def new_run(name: str) -> Path:
    """runs/NAME, or runs/NAME-2 and so on if that exists or is the name of a bundled model."""
    name = "".join("_" if character in _UNDECODED_BYTES else character for character in name)
    name = name.replace(os.sep, "-").lstrip(".") or "run"
    path, number = RUNS / name, 1
    while os.path.lexists(path) or path.name in bundled_names():  # a run hides the bundled model of its name
        number += 1
        path = RUNS / f"{name}-{number}"
    return path


def find_run(name: str) -> Path:
    """A run folder by path or by name; a name without a slash is a run in runs/.

    Raises `RunError` for an empty name, the working folder, and folders above it.
    """
    path = user_path(name)
    if path.name in ("", ".."):
        raise RunError(f"--run is {name!r}; give a name, such as first, or a separate folder, such as {RUNS}/first")
    return path if path != Path(name) or _is_path(name) or os.path.isfile(path / CONFIG_FILE) else RUNS / name


def _is_path(name: str) -> bool:
    return os.sep in name or (os.altsep is not None and os.altsep in name)


def newest_run(holding: str) -> Path:
    """The run in runs/ whose file named `holding` was written last; raises `RunError` if there is none."""
    return _newest([path for path in RUNS.glob(f"*/{holding}") if path.is_file()])


def _newest(paths: list[Path]) -> Path:
    """The run with the file that was written last; raises `RunError` if there are no files."""
    if not paths:
        raise RunError(
            f"no trained run in {RUNS}/ here; train one with `charlm train TEXT`, or name a model file, or reviews, "
            "the bundled model"
        )
    return max(paths, key=lambda path: path.stat().st_mtime).parent


def newest_resumable() -> Path:
    """The run in runs/ that was saved last, or was begun last and killed before it saved anything.

    Raises `RunError` if there is none.
    """
    written = [path for name in (RESUME_FILE, NEW_CONFIG_FILE) for path in RUNS.glob(f"*/{name}")]
    runs = [RunFolder(path.parent) for path in RUNS.glob(f"*/{CONFIG_FILE}")]
    written += [run.config for run in runs if not (run.resume.exists() or run.model.exists())]
    return _newest([path for path in written if path.is_file()])


def newest_models() -> list[Path]:
    """The models of all runs in runs/, the newest first."""
    paths = [path for path in RUNS.glob(f"*/{MODEL_FILE}") if path.is_file() and not path.is_symlink()]
    return sorted(paths, key=lambda path: -path.stat().st_mtime)


def find_model(name: str | None) -> Path:
    """A model file by name; without a name, that of the newest run.

    A name is tried as a file, as a folder with a model file, as a run in runs/, and as a bundled model. Raises
    `RunError` when there is no such model, or its file in a folder is a link.
    """
    if name is None:
        path = newest_run(MODEL_FILE) / MODEL_FILE
        check_run_file(path)
        _warn_if_brief(path.parent)
        return path
    for path in _models(name, RUNS, PRETRAINED):
        if os.path.isfile(path):
            if path != user_path(name):  # the file in a folder that was named
                check_run_file(path)
            if name in bundled_names() and path == RUNS / name / MODEL_FILE:
                logger.warning("%s is a run, which hides the bundled model %s; rename its folder", path.parent, name)
            return path
    raise RunError(_no_model(name))


def _warn_if_brief(newest: Path) -> None:
    """Log a warning if the newest run is but an experiment next to another one."""
    steps, (most, longest) = _steps(newest), max((_steps(path.parent), path.parent) for path in newest_models())
    if steps * _BRIEF < most:
        logger.warning(
            "the newest run, %s, has only %s steps; %s has %s, so name it if you mean that one",
            newest,
            f"{steps:,}",
            longest,
            f"{most:,}",
        )


def _steps(run: Path) -> int:
    """The last step in metrics.jsonl; 0 if there is none."""
    try:
        with os.fdopen(open_run_file(run / METRICS_FILE, os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_RECORDS))
            steps = re.findall(rb'"step": ([0-9]{1,18})\b', file.read())
    except (OSError, RunError):
        return 0
    return int(steps[-1]) if steps else 0


def _no_model(name: str) -> str:
    """The message for an argument that names no model."""
    if (mistake := looks_like(name)) is not None:
        return f"{name!r} names no model: {mistake}, or give the name of a run"
    if (near := nearest_model(name)) is not None:
        return f"no model {name!r}; did you mean {near}?"
    return (
        f"no model {name!r}; give a model file, a run folder, the name of a run in {RUNS}/, or a bundled model "
        f"({', '.join(bundled_names())})"
    )


def nearest_model(name: str) -> str | None:
    """The run or bundled model whose name is most like `name`; None if none is much like it."""
    return closest(name, [*run_names(), *bundled_names()])


def run_names() -> list[str]:
    """The names of the runs in runs/."""
    return sorted(path.parent.name for path in RUNS.glob(f"*/{CONFIG_FILE}"))


def bundled_names() -> list[str]:
    """The names of the bundled models."""
    return sorted(path.parent.name for path in PRETRAINED.glob(f"*/{MODEL_FILE}"))


def names_model(name: str, *, text_follows: bool = False) -> bool:
    """Whether an argument names a model rather than a text: a model file, a folder with one, or a run without a model.

    The name of a bundled model may also be that of a named corpus; it means the model when a text follows.
    """
    own, bundled = (_models(name, where) for where in (RUNS, PRETRAINED))
    return (
        name.endswith(".safetensors")
        or is_safetensors(Path(name))
        or any(os.path.isfile(path.parent / file) for path in own[1:] for file in (MODEL_FILE, METRICS_FILE))
        or (text_follows and not os.path.exists(name) and any(map(os.path.isfile, bundled)))
    )


def _models(name: str, *folders: Path) -> list[Path]:
    """The paths at which a named model may be: a file, a folder, or a name in one of `folders`."""
    if not name:
        return []
    inside = [] if _is_path(name) or name in (".", "..") else [folder / name / MODEL_FILE for folder in folders]
    return [user_path(name), user_path(name) / MODEL_FILE, *inside]

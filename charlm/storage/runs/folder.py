"""The files of a run, which one process may write at a time.

runs/NAME/config.json          the configuration of the run
runs/NAME/metrics.jsonl        one record per line
runs/NAME/samples.txt          texts that the model wrote during training
runs/NAME/model.safetensors    the weights that were best on validation
runs/NAME/resume.safetensors   everything needed to continue
runs/NAME/config.new.json      the configuration of a run that replaces this one and has saved nothing yet
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.config import RunConfig
from charlm.config.names import closest
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
    parse_object,
)
from charlm.storage.append_log import naming_write_errors
from charlm.storage.lock import LOCK, locked, require_unlocked
from charlm.storage.run_file import check_run_file, read_run_file
from charlm.storage.runs.names import UNDECODED_BYTES, run_names


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

        A run that is overwritten stays as it is, except for its records and samples, until `remove_replaced`.

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
            replaces = any(map(os.path.exists, (self.config, self.model, self.resume)))
            self._write(self.new_config if replaces else self.config, config)
            yield

    def remove_replaced(self) -> None:
        """Remove what is left of a run that this one replaces; to be called when the resume file is that of step 0.

        A process that is killed before leaves the old configuration and model, one that is killed after this leaves the
        new configuration and no model.
        """
        with naming_write_errors(self.path, "name another folder with --run"):
            if os.path.exists(self.new_config):
                os.replace(self.new_config, self.config)
            self.model.unlink(missing_ok=True)

    @contextlib.contextmanager
    def reopened(self) -> Iterator[RunConfig]:
        """Lock an existing run for the length of the block, and read its configuration.

        Raises `RunError` as `read_config` does, or when another process has locked the folder.
        """
        if not os.path.exists(self.new_config):
            self._require_run()
        with locked(self.path) as held:
            self._check_files()
            if held:
                self._remove_leftovers()
            yield self._read(self.new_config) if os.path.exists(self.new_config) else self.read_config()

    def can_continue(self) -> bool:
        """Whether the run has a resume file; without one it starts again.

        Raises `RunError` if there is a model, which a run that starts again would overwrite.
        """
        if os.path.exists(self.new_config):  # the resume file and the model are those of the run that is replaced
            return False
        if not os.path.exists(self.resume) and os.path.exists(self.model):
            raise RunError(
                f"{self.resume} is missing, so run {self.path} can't be continued; restore that file, or start a new "
                f"run from the model with `charlm train TEXT --init-from {self.path}`"
            )
        return os.path.exists(self.resume)

    def require_room(self, *, overwrite: bool) -> None:
        """Raise `RunError` unless a run may start here: the folder is missing, or empty or to be overwritten and not in
        use."""
        if not UNDECODED_BYTES.isdisjoint(str(self.path)):
            raise RunError(f"{str(self.path)!r} is not UTF-8; a run needs a UTF-8 name, so name another with --run")
        try:
            if os.path.exists(self.path) and not os.path.isdir(self.path):
                raise RunError(f"{self.path} is a file; name another folder with --run")
            if not os.path.isdir(self.path):
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
        self._write(self.new_config if os.path.exists(self.new_config) else self.config, config)

    def read_config(self) -> RunConfig:
        """The configuration of the run; raises `RunError` when there is no run or the file is damaged."""
        self._require_run()
        return self._read(self.config)

    def _write(self, path: Path, config: RunConfig) -> None:
        atomic_write(path, json.dumps(config.to_json(), indent=2).encode())  # ASCII, since a path may not be UTF-8

    def _read(self, path: Path) -> RunConfig:
        remedy = f"restore it, or start a new run from the model with `charlm train TEXT --init-from {self.path}`"
        try:
            return RunConfig.from_json(parse_object(read_run_file(path)))
        except (ConfigError, ValueError) as error:
            reason = str(error).partition(";")[0]
            raise RunError(f"{path} is damaged: {reason}; {remedy}") from None
        except OSError as error:
            raise RunError(f"{path} can't be read: {error.strerror}; {remedy}") from None

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
            if os.path.exists(self.resume) and not os.path.lexists(self.config):
                raise RunError(
                    f"{self.config} is missing; restore it, or start a new run from the model with "
                    f"`charlm train TEXT --init-from {self.path}`"
                )
            near = closest(self.path.name, run_names())
            hint = f"did you mean --run {near}?" if near is not None else "train one, or name another with --run"
            raise RunError(f"no run in {self.path}; {hint}")

"""Finds runs and models by name, or the newest of them."""

import logging
import os
import re
from pathlib import Path

from charlm.config.names import closest
from charlm.data.inputs.mistakes import looks_like
from charlm.errors import RunError
from charlm.files import (
    CONFIG_FILE,
    METRICS_FILE,
    MODEL_FILE,
    NEW_CONFIG_FILE,
    RESUME_FILE,
    is_safetensors,
    user_path,
)
from charlm.nouns import count_of
from charlm.storage.run_file import check_run_file, open_run_file

logger = logging.getLogger(__name__)

RUNS = Path("runs")
PRETRAINED = Path(__file__).parents[2] / "pretrained"
"""The bundled models, a folder each."""
UNDECODED_BYTES = frozenset(map(chr, range(0xDC80, 0xDD00)))
"""Python's stand-ins for bytes of a path that are not UTF-8."""
_BRIEF = 20  # a run with this many times as many steps as another makes that one brief
_LAST_RECORDS = 4096  # bytes at the end of metrics.jsonl, several records


def new_run(name: str) -> Path:
    """runs/NAME, or runs/NAME-2 and so on if that exists or is the name of a bundled model."""
    name = "".join("_" if character in UNDECODED_BYTES else character for character in name)
    name = name.replace(os.sep, "-").lstrip(".") or "run"
    path, number = RUNS / name, 1
    while os.path.lexists(path) or path.name in bundled_names():  # a run hides the bundled model of its name
        number += 1
        path = RUNS / f"{name}-{number}"
    return path


def find_run(name: str, option: str = "--run") -> Path:
    """A run folder by path or by name; a name without a slash is a run in runs/.

    `option` is what gives the name, for messages. Raises `RunError` for an empty name, the working folder, and folders
    above it.
    """
    path = user_path(name)
    if path.name in ("", ".."):
        raise RunError(f"{option} is {name!r}; give a name, such as first, or a separate folder, such as {RUNS}/first")
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
    for config in RUNS.glob(f"*/{CONFIG_FILE}"):
        if not any((config.parent / name).exists() for name in (RESUME_FILE, MODEL_FILE)):
            written.append(config)
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
            "the newest run, %s, has only %s; %s has %s, so name it if you mean that one",
            newest,
            count_of(steps, "step"),
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


def model_name(path: Path) -> str:
    """A short name for a model file: that of its folder, or that of the file if it isn't named as in a run."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.basename(folder) or path.stem if name == MODEL_FILE else path.stem


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

"""What the shell completes: runs and models, named corpora and files, cells and directions; torch is not imported."""

import os
from collections.abc import Iterable
from pathlib import Path

CELLS = (
    *("rnn", "irnn", "rnn-skip", "lstm-1997", "lstm", "lstm-f", "lstm-i", "lstm-o"),
    *("gru", "gru-reset-after", "mut1", "mut2", "mut3", "mlstm", "mingru"),
)
"""The names in `charlm.cells`, which imports torch."""


def complete_model(incomplete: str) -> list[str]:
    """Runs, bundled models, and files."""
    from charlm.storage.runs import bundled_names, run_names

    return [*_beginning(incomplete, [*run_names(), *bundled_names()]), *_files(incomplete)]


def complete_run(incomplete: str) -> list[str]:
    """Runs."""
    from charlm.storage.runs import run_names

    return _beginning(incomplete, run_names())


def complete_text(incomplete: str) -> list[str]:
    """Named corpora and files."""
    from charlm.data.registry import registry

    return [*_beginning(incomplete, registry()), *_files(incomplete)]


def complete_model_or_text(incomplete: str) -> list[str]:
    """What `complete_model` and `complete_text` give."""
    return list(dict.fromkeys([*complete_model(incomplete), *complete_text(incomplete)]))


def complete_cell(incomplete: str) -> list[str]:
    """Cells."""
    return _beginning(incomplete, CELLS)


def complete_cells(incomplete: str) -> list[str]:
    """Cells in a list separated by commas."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in complete_cell(last)]


def complete_direction(incomplete: str) -> list[str]:
    """Directions of all models; which model is used may not be written yet."""
    from charlm.storage.runs import PRETRAINED, RUNS

    paths = [path for folder in (RUNS, PRETRAINED) for path in folder.glob("*/directions/*.safetensors")]
    return _beginning(incomplete, sorted({path.stem for path in paths}))


def complete_steer(incomplete: str) -> list[str]:
    """Directions, each with the strength that has a clear effect, in both senses."""
    return [f"{name}={sign}1" for name in complete_direction(incomplete.partition("=")[0]) for sign in "+-"]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    """Files and folders whose path begins so; a folder ends with a slash."""
    folder, name = os.path.split(incomplete)
    try:
        found = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    hidden = name.startswith(".")
    return [
        os.path.join(folder, path.name) + "/" * path.is_dir()
        for path in found
        if path.name.startswith(name) and path.name.startswith(".") == hidden
    ]

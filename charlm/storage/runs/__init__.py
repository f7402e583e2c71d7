"""Run folders with the files of a training run, and finding runs and models by name."""

from charlm.storage.runs.folder import RunFolder
from charlm.storage.runs.names import (
    PRETRAINED,
    RUNS,
    bundled_names,
    find_model,
    find_run,
    model_name,
    names_model,
    nearest_model,
    new_run,
    newest_models,
    newest_resumable,
    newest_run,
    run_names,
)

__all__ = [
    "PRETRAINED",
    "RUNS",
    "RunFolder",
    "bundled_names",
    "find_model",
    "find_run",
    "model_name",
    "names_model",
    "nearest_model",
    "new_run",
    "newest_models",
    "newest_resumable",
    "newest_run",
    "run_names",
]

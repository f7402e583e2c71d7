"""The runs in a folder, each with its settings and figures, from the configuration and metrics.jsonl alone."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from charlm.analysis.runs.metrics import read_metrics
from charlm.config import DEFAULT_CELL, DEFAULT_NETWORK, DEFAULT_SHAPES
from charlm.errors import CharlmError
from charlm.storage.runs import RUNS, RunFolder


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """One run. What it has not logged yet, or what can't be read, is None."""

    run: str
    """Name of the folder."""
    saved: datetime
    """When the run last wrote to one of its files."""
    text: str | None = None
    """What it was trained on: the names of the arguments."""
    network: str | None = None
    """Cell, layers and hidden size, such as "lstm 1x256"."""
    seed: int | None = None
    progress: float | None = None
    """Share of the run that is done, 0 to 1."""
    steps: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    nats_per_token: float | None = None
    """Lowest validation loss during training."""
    margin: float | None = None
    """Half the width of its 95% confidence interval, nats per token; 0 if the whole split was scored."""
    bits_per_character: float | None = None
    """The same in bits per character, comparable across tokenizers."""
    problem: str | None = None
    """Why figures are missing."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"saved": self.saved.isoformat(timespec="seconds")}


def list_runs(folder: Path = RUNS) -> list[RunSummary]:
    """All runs in a folder, the one that was written to last first. A damaged run has a `problem`."""
    found = (summarise(run) for run in map(RunFolder, folder.glob("*/")))
    return sorted((summary for summary in found if summary is not None), key=lambda one: one.saved, reverse=True)


def summarised_files(run: RunFolder) -> list[Path]:
    """The files of a run that its summary depends on, as far as they exist and this user may know of them."""
    return [file for file in (run.config, run.metrics, run.model, run.resume) if os.path.isfile(file)]


def file_name(argument: str) -> str:
    """The name of a text, without its folder."""
    return Path(argument).name


def summarise(run: RunFolder, text_name: Callable[[str], str] = file_name) -> RunSummary | None:
    """The summary of a run, in which `text_name` names a text; None if the folder has none of its files."""
    files = summarised_files(run)
    if not files:
        return None
    values: dict[str, Any] = {}
    try:
        values = _settings(run, text_name)
        values |= _figures(run)
    except CharlmError as error:
        values["problem"] = str(error)
    saved = max(file.stat().st_mtime for file in files)
    return RunSummary(run=run.path.name, saved=datetime.fromtimestamp(saved, UTC), **values)


def _settings(run: RunFolder, text_name: Callable[[str], str]) -> dict[str, Any]:
    config = run.read_config()
    network = config.model.get("network", DEFAULT_NETWORK)
    model = {"cell": DEFAULT_CELL} | DEFAULT_SHAPES[network] | config.model
    kind = model["cell"] if network == DEFAULT_NETWORK else network
    return {
        "text": " ".join(map(text_name, config.text)),
        "network": f"{kind} {model['num_layers']}x{model['hidden_size']}",
        "seed": config.training.seed,
    }


def _figures(run: RunFolder) -> dict[str, Any]:
    metrics = read_metrics(run)
    last = metrics.steps[-1]
    values: dict[str, Any] = {
        "progress": last.progress,
        "steps": last.step,
        "epochs": last.epoch,
        "seconds": last.seconds,
    }
    scored = [(one.nats_per_token, one) for one in metrics.validations if one.nats_per_token is not None]
    if scored:
        nats, best = min(scored, key=lambda pair: pair[0])
        values |= {"nats_per_token": nats, "margin": best.margin, "bits_per_character": best.bits_per_character}
    return values

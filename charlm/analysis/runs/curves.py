"""The curves of a run, read from metrics.jsonl: loss, validation, gradient norm and learning rate; and its samples."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from charlm.config import JsonConfig, check_amounts
from charlm.errors import CharlmError, RunError
from charlm.files import parse_object
from charlm.storage.run_file import read_run_file
from charlm.storage.runs import RunFolder

Quantity = Literal["loss", "validation", "gradient norm", "learning rate"]
"""Training loss and validation (on the validation split or a sample of it) are in nats per token; the gradient norm is
taken before clipping."""

Against = Literal["steps", "time", "tokens"]
"""The x axis: optimiser steps, seconds since the run began, or target tokens trained on."""

_KEYS: dict[Quantity, str] = {
    "loss": "loss",
    "validation": "nats_per_token",
    "gradient norm": "gradient_norm",
    "learning rate": "learning_rate",
}
_X_KEYS: dict[Against, str] = {"steps": "step", "time": "seconds", "tokens": "tokens"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One quantity of one run."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    margin: tuple[float | None, ...] = ()
    """Validation only: half the width of the 95% confidence interval of each y, for a score of a sample of the split; 0
    for one of the whole split, None in files of charlm 0.1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCurves:
    """All curves of one run."""

    run: str
    curves: dict[Quantity, Curve]

    def scaled(self, size: float) -> Self:
        """The same curves with every x divided by the size of another unit."""
        curves = {name: replace(curve, x=tuple(x / size for x in curve.x)) for name, curve in self.curves.items()}
        return replace(self, curves=curves)

    def to_json(self) -> dict[str, Any]:
        """The name of the run, and the x and y values of each curve."""
        curves: dict[str, dict[str, Any]] = {name: {"x": curve.x, "y": curve.y} for name, curve in self.curves.items()}
        curves["validation"]["margin"] = self.curves["validation"].margin
        return {"run": self.run} | curves


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord(JsonConfig):
    """A `charlm.training.events.StepEvent` in metrics.jsonl; null stands for a value that was not finite."""

    step: int
    epoch: float
    progress: float
    tokens: int
    seconds: float
    loss: float | None
    gradient_norm: float | None
    clipped_norm: float | None
    learning_rate: float

    def __post_init__(self) -> None:
        check_amounts(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationRecord(JsonConfig):
    """A `charlm.training.events.ValidationEvent` in metrics.jsonl; null stands for a value that was not finite."""

    step: int
    seconds: float
    nats_per_token: float | None
    bits_per_character: float | None
    tokens: int
    best: bool
    margin: float | None = None
    """None in files of charlm 0.1."""

    def __post_init__(self) -> None:
        check_amounts(self)


_RECORDS: dict[str, type[JsonConfig]] = {"step": StepRecord, "validation": ValidationRecord}


def read_records(run: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """The records of a run by kind, "step" and "validation", in the order they were written.

    An incomplete last line is ignored: the run may still be writing it.

    Raises:
        RunError: the file can't be read, is damaged, or has no step record yet.
    """
    try:
        lines = read_run_file(run.metrics).splitlines()
    except OSError as error:
        raise RunError(f"no curves in {run.path}: {run.metrics} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RunError(f"{run.metrics} is damaged: it is not UTF-8") from None
    records: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _RECORDS}
    for number, line in enumerate(lines, start=1):
        try:
            values = parse_object(line)
        except ValueError:
            if number < len(lines):
                raise RunError(f"{run.metrics} is damaged at line {number}") from None
            break
        try:
            kind = values.pop("kind")
            records[kind].append(_RECORDS[kind].from_json(values).to_json())
        except (KeyError, TypeError):
            raise RunError(f"{run.metrics} is damaged at line {number}: it has no kind that is known") from None
        except CharlmError as error:
            raise RunError(f"{run.metrics} is damaged at line {number}: {error}") from None
    if not records["step"]:
        raise RunError(f"no curves in {run.path}: no step has been logged yet; wait until the run has made ten steps")
    return records


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A text that a run wrote at a validation."""

    step: int
    nats_per_token: float | None
    """Validation score at that step; None if there was no validation."""
    margin: float | None
    """Half the width of its 95% confidence interval; 0 if the whole split was scored."""
    text: str

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def read_samples(run: RunFolder) -> list[Sample]:
    """The texts that a run wrote during training, in order.

    Raises:
        RunError: the files can't be read, are damaged, or have no sample yet.
    """
    if not run.config.exists():
        raise RunError(
            f"{run.path} is no run folder, and samples are kept there; name the run, as in "
            "`charlm sample runs/NAME --checkpoints`"
        )
    try:
        text = read_run_file(run.samples)
    except OSError as error:
        raise RunError(f"no samples in {run.path}: {run.samples} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RunError(f"{run.samples} is damaged: it is not UTF-8") from None
    scores = {one["step"]: (one["nats_per_token"], one["margin"]) for one in read_records(run)["validation"]}
    parts = re.split(r"^--- step ([0-9]{1,18})\n", text, flags=re.MULTILINE)[1:]
    if not parts:
        raise RunError(f"no samples in {run.path}: the run has not reached its first validation")
    samples = []
    for step, written in zip(map(int, parts[::2]), parts[1::2], strict=True):
        nats, margin = scores.get(step, (None, None))
        samples.append(Sample(step=step, nats_per_token=nats, margin=margin, text=written.removesuffix("\n\n")))
    return samples


def read_curves(run: RunFolder, against: Against = "steps") -> RunCurves:
    """The curves of a run; raises `RunError` as `read_records` does."""
    records = read_records(run)
    xs = {"step": [float(record[_X_KEYS[against]]) for record in records["step"]]}
    steps = [float(record["step"]) for record in records["step"]]
    validation_steps = [float(record["step"]) for record in records["validation"]]
    xs["validation"] = np.interp(validation_steps, steps, xs["step"]).tolist()
    curves: dict[Quantity, Curve] = {}
    for quantity, key in _KEYS.items():
        kind = "validation" if quantity == "validation" else "step"
        pairs = [(x, record) for x, record in zip(xs[kind], records[kind], strict=True) if record[key] is not None]
        curves[quantity] = Curve(
            x=tuple(x for x, _ in pairs),
            y=tuple(float(record[key]) for _, record in pairs),
            margin=tuple(record["margin"] for _, record in pairs) if quantity == "validation" else (),
        )
    return RunCurves(run=run.path.name, curves=curves)


def differences(runs: Sequence[RunFolder]) -> list[str]:
    """Which of text, splits, documents, reading direction and tokenizer differ, so that losses can't be compared.

    Raises `RunError` if a configuration can't be read.
    """
    configs = [run.read_config() for run in runs]
    tokenizers = [config.tokenizer if config.init_from is None else config.init_from for config in configs]
    values: dict[str, list[Any]] = {
        "text": [config.text for config in configs],
        "splits": [config.corpus.splits for config in configs],
        "documents": [(config.corpus.documents, config.corpus.separator) for config in configs],
        "reading direction": [config.corpus.direction for config in configs],
        "tokenizer": tokenizers,
    }
    return [name for name, of_runs in values.items() if any(one != of_runs[0] for one in of_runs)]

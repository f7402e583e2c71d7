"""The curves of a run: what metrics.jsonl says of loss, validation, gradient norm and learning rate."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from charlm.errors import RunError
from charlm.storage.runs import RunFolder

Quantity = Literal["loss", "validation", "gradient norm", "learning rate"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
"""Nats per token; nats per token on (a sample of) the validation split; before clipping; as the schedule has it."""

Against = Literal["steps", "time", "tokens"]
"""What a curve is drawn against: optimiser steps, seconds since the run began, targets trained on."""

_KEYS: dict[Quantity, str] = {
    "loss": "loss",
    "validation": "nats_per_token",
    "gradient norm": "gradient_norm",
    "learning rate": "learning_rate",
}
_PLACES: dict[Against, str] = {"steps": "step", "time": "seconds", "tokens": "tokens"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One quantity of one run."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCurves:
    """All of a run's."""

    run: str
    curves: dict[Quantity, Curve]

    def to_json(self) -> dict[str, Any]:
        """By name, each as two lists."""
        return {"run": self.run} | {name: {"x": curve.x, "y": curve.y} for name, curve in self.curves.items()}


def read_records(run: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """The records of a run by kind, "step" and "validation", in the order in which they were written.

    Raises `RunError` where there are none. A last line that is cut short, since the run is going on, is left out.
    """
    try:
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RunError(f"no curves in {run.path}: {run.metrics} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RunError(f"{run.metrics} is damaged: it is no UTF-8") from None
    found: dict[str, list[dict[str, Any]]] = {"step": [], "validation": []}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            found[record["kind"]].append(record)
        except (ValueError, TypeError, KeyError, RecursionError):
            if number < len(lines):
                raise RunError(f"{run.metrics} is damaged at line {number}") from None
    if not found["step"]:
        raise RunError(f"no curves in {run.path}: it has not made ten steps yet")
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a run wrote at a validation."""

    step: int
    nats_per_token: float | None
    """The validation's; None where there is none."""
    text: str

    def to_json(self) -> dict[str, Any]:
        """By name."""
        return asdict(self)


def read_samples(run: RunFolder) -> list[Sample]:
    """What a run wrote while it learnt, in order; raises `RunError` where there is nothing."""
    try:
        text = run.samples.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"no samples in {run.path}: {run.samples} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RunError(f"{run.samples} is damaged: it is no UTF-8") from None
    scores = {record["step"]: record["nats_per_token"] for record in read_records(run)["validation"]}
    parts = re.split(r"^--- step (\d+)\n", text, flags=re.MULTILINE)[1:]
    if not parts:
        raise RunError(f"no samples in {run.path}: it has not made a validation yet")
    return [
        Sample(step=int(step), nats_per_token=scores.get(int(step)), text=written.removesuffix("\n\n"))
        for step, written in zip(parts[::2], parts[1::2], strict=True)
    ]


def read_curves(run: RunFolder, against: Against = "steps") -> RunCurves:
    """The curves of a run; raises `RunError` as `read_records` does, and where a record lacks what it should have."""
    records = read_records(run)
    try:
        places = {"step": [float(record[_PLACES[against]]) for record in records["step"]]}
        steps = [float(record["step"]) for record in records["step"]]
        at = [float(record["step"]) for record in records["validation"]]
        places["validation"] = np.interp(at, steps, places["step"]).tolist()
        curves: dict[Quantity, Curve] = {}
        for quantity, key in _KEYS.items():
            kind = "validation" if quantity == "validation" else "step"
            pairs = [
                (x, float(record[key]))
                for x, record in zip(places[kind], records[kind], strict=True)
                if record[key] is not None  # what is not finite
            ]
            curves[quantity] = Curve(x=tuple(x for x, _ in pairs), y=tuple(y for _, y in pairs))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run.metrics} is damaged: {error!r}") from None
    return RunCurves(run=run.path.name, curves=curves)

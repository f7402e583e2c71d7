"""The curves of a run, read from metrics.jsonl: loss, validation, gradient norm and learning rate; and its samples."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from charlm.analysis.runs.metrics import StepRecord, read_metrics
from charlm.errors import RunError
from charlm.storage.run_file import read_run_file
from charlm.storage.runs import RunFolder

Quantity = Literal["loss", "validation", "gradient norm", "learning rate"]
"""Training loss and validation (on the validation split or a sample of it) are in nats per token; the gradient norm is
taken before clipping."""

Against = Literal["steps", "time", "tokens"]
"""The x axis: optimiser steps, seconds since the run began, or target tokens trained on."""


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
    scores = {one.step: (one.nats_per_token, one.margin) for one in read_metrics(run).validations}
    parts = re.split(r"^--- step ([0-9]{1,18})\n", text, flags=re.MULTILINE)[1:]
    if not parts:
        raise RunError(f"no samples in {run.path}: the run has not reached its first validation")
    samples = []
    for step, written in zip(map(int, parts[::2]), parts[1::2], strict=True):
        nats, margin = scores.get(step, (None, None))
        samples.append(Sample(step=step, nats_per_token=nats, margin=margin, text=written.removesuffix("\n\n")))
    return samples


def read_curves(run: RunFolder, against: Against = "steps") -> RunCurves:
    """The curves of a run; raises `RunError` as `read_metrics` does."""
    metrics = read_metrics(run)
    steps, validations = metrics.steps, metrics.validations
    xs = [_x_of(record, against) for record in steps]
    validation_xs = np.interp([one.step for one in validations], [one.step for one in steps], xs).tolist()
    scored = [(x, one.nats_per_token, one.margin) for x, one in zip(validation_xs, validations, strict=True)]
    return RunCurves(
        run=run.path.name,
        curves={
            "loss": _curve(xs, [record.loss for record in steps]),
            "validation": Curve(
                x=tuple(x for x, nats, _ in scored if nats is not None),
                y=tuple(float(nats) for _, nats, _ in scored if nats is not None),
                margin=tuple(margin for _, nats, margin in scored if nats is not None),
            ),
            "gradient norm": _curve(xs, [record.gradient_norm for record in steps]),
            "learning rate": _curve(xs, [record.learning_rate for record in steps]),
        },
    )


def _x_of(record: StepRecord, against: Against) -> float:
    """Where a step is on the x axis."""
    return float({"steps": record.step, "time": record.seconds, "tokens": record.tokens}[against])


def _curve(xs: Sequence[float], ys: Sequence[float | None]) -> Curve:
    """The points that have a value."""
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
    return Curve(x=tuple(x for x, _ in points), y=tuple(float(y) for _, y in points))


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

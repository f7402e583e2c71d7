"""What the curves of a run say, in plain words, and which command would do better.

Nothing is said that the run has not measured itself; where it measured nothing, nothing is said.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from charlm.analysis.runs.curves import read_records
from charlm.config import DEFAULT_HIDDEN, TrainConfig
from charlm.errors import RunError
from charlm.storage.runs import RunFolder

_RISE = 0.002  # share by which the last validation must lie above the best to count as overfitted
_SLIGHT = 0.01  # share below which it has done little harm
_FLAT = 0.002  # share by which validation must fall in the second half to count as falling
_ALIKE = 0.02  # share by which training loss may lie below validation and the two still be alike
_CURE = 0.4  # dropout that lets a run go on over a small text (docs/experiments.md)
_FEWEST = 6  # validations


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What a run came to."""

    kind: str
    """overfitted, falling, small, or settled."""
    sentence: str
    options: str | None
    """Options of `charlm train` that would do better; None where the run does not tell."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A validation, with the mean training loss since the one before."""

    step: int
    minutes: float
    validation: float
    training: float


def advise(
    records: dict[str, list[dict[str, Any]]], *, hidden_size: int | None, dropout: float, training: TrainConfig
) -> Advice | None:
    """Read the curves of a run that has ended.

    Args:
        records: as `charlm.analysis.runs.curves.read_records` gives them.
        hidden_size: H of its model; None where it can't be chosen.
        dropout: of its model: training losses are with it and validations without.
        training: how long it was to be; what would do better is told in the same unit.

    Returns:
        None where fewer than six validations were made.
    """
    points = _points(records)
    if len(points) < _FEWEST:
        return None
    last = points[-1]
    best = min(points, key=lambda point: point.validation)
    half, late = points[len(points) // 2 - 1], points[len(points) * 3 // 4 - 1]
    passes = records["step"][-1]["epoch"]
    longer = _twice(training, records["step"][-1], last.minutes)
    apart = last.validation - last.training
    alike = apart <= last.validation * _ALIKE
    if last.validation > best.validation * (1 + _RISE) and last.training < best.training and not alike:
        slight = last.validation < best.validation * (1 + _SLIGHT)
        return Advice(
            kind="overfitted",
            sentence=f"{'slightly ' * slight}overfitted since step {best.step:,}: the validation rose from "
            f"{best.validation:.4f} to {last.validation:.4f} while the training loss fell from {best.training:.4f} to "
            f"{last.training:.4f}; the model of step {best.step:,} is kept, and more time would not help",
            options=f"--dropout {_CURE:g} --weight-dropout {_CURE:g}" if dropout < _CURE and not slight else None,
        )
    fallen = half.validation - last.validation
    if hidden_size and dropout <= 0.1 and passes >= 1 and alike and fallen < last.validation * _FLAT:
        return Advice(
            kind="small",
            sentence=f"smaller than the text deserves: after {passes:.1f} passes training loss ({last.training:.4f}) "
            f"and validation ({last.validation:.4f}) are alike and fall no more",
            options=f"--hidden {2 * hidden_size} {longer}",
        )
    falls = last.validation < late.validation and last.validation <= best.validation * (1 + _RISE)
    if fallen >= last.validation * _FLAT and (alike or falls):
        learnt = half.training - last.training
        beside = f", the training loss by {learnt:.4f}" if learnt > 0 else ""
        return Advice(
            kind="falling",
            sentence=f"still falling: by {fallen:.4f} in the second half of the run, to {last.validation:.4f}{beside}; "
            f"twice the time gives perhaps {last.validation - fallen:.3f}",
            options=longer,
        )
    if best is last:
        course = f"fell by {fallen:.4f} in the second half of the run, to {last.validation:.4f}"
    else:
        course = f"was lowest at step {best.step:,}, {best.validation:.4f}, and is {last.validation:.4f} at the end"
    return Advice(
        kind="settled", sentence=f"settled: the validation {course}; more time would give little", options=None
    )


def advice_on(run: Path) -> Advice | None:
    """`advise` for a run folder; None where its files don't tell."""
    folder = RunFolder(run)
    try:
        records, config = read_records(folder), folder.read_config()
    except RunError:
        return None
    hidden = None if config.init_from is not None else int(config.model.get("hidden_size", DEFAULT_HIDDEN))
    dropout = float(config.model.get("dropout", 1.0 if config.init_from is not None else 0.1))
    return advise(records, hidden_size=hidden, dropout=dropout, training=config.training)


def _twice(training: TrainConfig, record: dict[str, Any], minutes: float) -> str:
    """Twice the length that ended a run, from its last record and its minutes."""
    done = {"--steps": record["step"], "--epochs": record["epoch"], "--minutes": minutes}
    asked = {"--steps": training.steps, "--epochs": training.epochs, "--minutes": training.minutes}
    shares = {name: done[name] / length for name, length in asked.items() if length is not None}
    name = max(shares, key=lambda name: shares[name])
    return f"{name} {_short(2 * (asked[name] or 0))}"


def _points(records: dict[str, list[dict[str, Any]]]) -> list[_Point]:
    """The validations whose figures are finite."""
    found = []
    steps = [0, *(record["step"] for record in records["validation"])]
    for (before, step), record in zip(pairwise(steps), records["validation"], strict=True):
        losses = [one["loss"] for one in records["step"] if before < one["step"] <= step and one["loss"] is not None]
        if losses and record["nats_per_token"] is not None:
            found.append(_Point(step, record["seconds"] / 60, record["nats_per_token"], mean(losses)))
    return found


def _short(length: float) -> str:
    return f"{length:.2g}" if length < 10 else f"{length:.0f}"

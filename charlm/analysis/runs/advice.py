"""Read the curves of a finished run: overfitted, still improving, too small or levelled off, and what to try next.

The sentences report only what the run itself measured; without enough validations there is no advice.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from charlm.analysis.runs.curves import read_records
from charlm.config import DEFAULT_HIDDEN_SIZE, TrainConfig
from charlm.errors import RunError
from charlm.storage.runs import RunFolder

_RISE = 0.002  # relative rise of the last validation above the best that counts as overfitting
_SLIGHT = 0.01  # relative rise below which the overfitting is called slight
_FLAT = 0.002  # relative fall of validation in the second half that counts as improving
_CLOSE = 0.02  # relative gap between validation and training loss up to which they count as close
_STRONG_DROPOUT = 0.4  # suggested after overfitting (docs/notes/experiments.md)
_MIN_VALIDATIONS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """How a run ended, and what to try next."""

    kind: str
    """overfitted, falling, small, or settled."""
    sentence: str
    options: str | None
    """Options of `charlm train` to try; None if the curves suggest none."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A validation, with the mean training loss since the previous one."""

    step: int
    minutes: float
    validation: float
    training: float


def advise(
    records: dict[str, list[dict[str, Any]]], *, hidden_size: int | None, dropout: float, training: TrainConfig
) -> Advice | None:
    """Read the curves of a run that has ended.

    Args:
        records: the metrics of the run, from `charlm.analysis.runs.curves.read_records`.
        hidden_size: H of the model; None if it can't be chosen, as in fine-tuning.
        dropout: dropout of the model, which is active in the training losses and off in validation.
        training: how the run was trained, which includes its length; a longer run is suggested in the same unit.

    Returns:
        None if the run has fewer than six validations.
    """
    points = _points(records)
    if len(points) < _MIN_VALIDATIONS:
        return None
    last = points[-1]
    best = min(points, key=lambda point: point.validation)
    half, late = points[len(points) // 2 - 1], points[len(points) * 3 // 4 - 1]
    epochs = records["step"][-1]["epoch"]
    longer = _twice(training, records["step"][-1], last.minutes)
    close = last.validation - last.training <= last.validation * _CLOSE
    if last.validation > best.validation * (1 + _RISE) and last.training < best.training and not close:
        return _overfitted(best, last, dropout)
    fall = half.validation - last.validation
    if hidden_size and dropout <= 0.1 and epochs >= 1 and close and fall < last.validation * _FLAT:
        return Advice(
            kind="small",
            sentence=f"perhaps too small for the text: after {epochs:.1f} epochs validation ({last.validation:.4f}) no "
            f"longer falls and training loss ({last.training:.4f}) is not much lower",
            options=f"--hidden {2 * hidden_size} {longer}",
        )
    improving = last.validation < late.validation and last.validation <= best.validation * (1 + _RISE)
    if fall >= last.validation * _FLAT and (close or improving):
        training_fall = half.training - last.training
        training_course = f", and training loss by {training_fall:.4f}" if training_fall > 0 else ""
        return Advice(
            kind="falling",
            sentence=f"{'still improving' if improving else 'not overfitted'}: validation fell by {fall:.4f} in the "
            f"second half of the run, to {last.validation:.4f}{training_course}; "
            f"falling as much again, twice the time would give {last.validation - fall:.3f}",
            options=longer,
        )
    return _settled(best, last, fall)


def _overfitted(best: _Point, last: _Point, dropout: float) -> Advice:
    slight = last.validation < best.validation * (1 + _SLIGHT)
    options = f"--dropout {_STRONG_DROPOUT:g} --weight-dropout {_STRONG_DROPOUT:g}"
    return Advice(
        kind="overfitted",
        sentence=f"{'slightly ' * slight}overfitted since step {best.step:,}: validation rose from "
        f"{best.validation:.4f} to {last.validation:.4f} while training loss fell from {best.training:.4f} to "
        f"{last.training:.4f}; the model of step {best.step:,} is kept",
        options=options if dropout < _STRONG_DROPOUT and not slight else None,
    )


def _settled(best: _Point, last: _Point, fall: float) -> Advice:
    """Advice for a run whose validation has levelled off, or is now above its lowest value."""
    if best is last:
        sentence = (
            f"levelled off: validation fell by only {fall:.4f} in the second half of the run, to {last.validation:.4f}"
        )
    else:
        sentence = (
            f"no longer improving: validation was lowest at step {best.step:,} ({best.validation:.4f}) and is "
            f"{last.validation:.4f} at the end"
        )
    return Advice(kind="settled", sentence=sentence, options=None)


def advice_on(run: Path) -> Advice | None:
    """`advise` for a run folder; None if its files can't be read or there is no advice."""
    folder = RunFolder(run)
    try:
        records, config = read_records(folder), folder.read_config()
    except RunError:
        return None
    hidden_size = None if config.init_from is not None else int(config.model.get("hidden_size", DEFAULT_HIDDEN_SIZE))
    dropout = float(config.model.get("dropout", 1.0 if config.init_from is not None else 0.1))
    return advise(records, hidden_size=hidden_size, dropout=dropout, training=config.training)


def _twice(training: TrainConfig, record: dict[str, Any], minutes: float) -> str:
    """The option that gives twice the length, for the limit that ended the run (judged by its last record)."""
    done = {"--steps": record["step"], "--epochs": record["epoch"], "--minutes": minutes}
    limits = {"--steps": training.steps, "--epochs": training.epochs, "--minutes": training.minutes}
    shares = {option: done[option] / limit for option, limit in limits.items() if limit is not None}
    option = max(shares, key=lambda option: shares[option])
    return f"{option} {_format_length(2 * (limits[option] or 0))}"


def _points(records: dict[str, list[dict[str, Any]]]) -> list[_Point]:
    """The validations whose losses are finite."""
    points = []
    steps = [0, *(record["step"] for record in records["validation"])]
    for (before, step), record in zip(pairwise(steps), records["validation"], strict=True):
        losses = [one["loss"] for one in records["step"] if before < one["step"] <= step and one["loss"] is not None]
        if losses and record["nats_per_token"] is not None:
            points.append(_Point(step, record["seconds"] / 60, record["nats_per_token"], mean(losses)))
    return points


def _format_length(length: float) -> str:
    return f"{length:.2g}" if length < 10 else f"{length:.0f}"

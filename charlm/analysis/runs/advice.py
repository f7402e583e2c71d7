"""Read the validations of a finished run: whether a longer run would help, and what to try next.

The forecast is fitted to runs of T, 2T and 4T steps on ten kinds of text, and is right in nine of ten cases on a kind
that it was not fitted to (benchmarks/advice.py, docs/notes/advice.md). A run that is not like those gets no forecast,
and a run with too few validations gets no advice.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean

from charlm.analysis.runs.metrics import Metrics, StepRecord, read_metrics
from charlm.config import DEFAULT_HIDDEN_SIZE, TrainConfig
from charlm.errors import RunError
from charlm.storage.runs import RunFolder

_MIN_VALIDATIONS = 6
_AT_LOWEST = 0.0005  # relative rise of the last validation above the lowest up to which it counts as the lowest
_ROSE = 0.01  # relative rise from which validation counts as rising
_LEAST_GAIN = (0.003, 0.1)
_MOST_GAIN = (0.0075, 2.3)
"""(a, b): if the validation loss fell by the fraction f in the second half of a run, training twice as long lowers it
by at least and at most the fraction a + b f."""
_NARROW = 128  # units: the largest network whose double was measured
_CLOSE = (-0.06, 0.04)  # validation minus training loss, as a share of validation, at which a wider network gains more


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """How a run ended, and what to try next."""

    kind: str
    """improving: the last validation is the lowest. small: the same, and a wider network would gain more. overfitted:
    the validation loss rises. level: none of these; there is no forecast."""
    sentence: str
    options: str | None
    """Options of `charlm train` to try; None if the curves suggest none."""
    gain: tuple[float, float] | None
    """Least and most relative fall of the validation loss from training twice as long; None without a forecast."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A validation, with the mean training loss since the previous one."""

    step: int
    minutes: float
    validation: float
    training: float


def advise(metrics: Metrics, *, hidden_size: int | None, training: TrainConfig) -> Advice | None:
    """Read the curves of a run that has ended.

    Args:
        metrics: the records of the run.
        hidden_size: H of the model; None if it can't be chosen, as in fine-tuning.
        training: how the run was trained, which includes its length; a longer run is suggested in the same unit.

    Returns:
        None if the run has fewer than six validations.
    """
    points = _points(metrics)
    if len(points) < _MIN_VALIDATIONS:
        return None
    last, best = points[-1], min(points, key=lambda point: point.validation)
    rise = last.validation / best.validation - 1
    if rise > _AT_LOWEST:
        return _past_lowest(best, last, rise)
    fall = 1 - last.validation / points[len(points) // 2 - 1].validation
    option, length = _twice(training, metrics.steps[-1], last.minutes)
    longer = f"{option} {length}"
    gain = (_LEAST_GAIN[0] + _LEAST_GAIN[1] * max(0.0, fall), _MOST_GAIN[0] + _MOST_GAIN[1] * max(0.0, fall))
    low, high = (f"{100 * share:.1f}" for share in gain)
    sentence = (
        f"still improving: the validation loss is lowest at the end, and fell by {100 * fall:.1f}% in the second "
        f"half of the run; training twice as long would probably lower it by another {low}% to {high}%"
    )
    gap = 1 - last.training / last.validation
    close, counted = _CLOSE[0] <= gap <= _CLOSE[1], option != "--minutes"  # wider networks make fewer steps a minute
    if hidden_size and hidden_size <= _NARROW and counted and close and metrics.steps[-1].epoch >= 1:
        return Advice(
            kind="small",
            sentence=f"{sentence}; doubling the width as well would probably lower it further, since the training loss "
            f"({last.training:.4f}) is close to the validation loss",
            options=f"--hidden {2 * hidden_size} {longer}",
            gain=gain,
        )
    return Advice(kind="improving", sentence=sentence, options=longer, gain=gain)


def _past_lowest(best: _Point, last: _Point, rise: float) -> Advice:
    """Advice for a run whose last validation is not its lowest: the model of an earlier step is kept."""
    course = (
        f"the validation loss was lowest at step {best.step:,} ({best.validation:.4f}) and is {last.validation:.4f} at "
        "the end"
    )
    kept = f"the model of step {best.step:,} is kept"
    if rise < _ROSE or last.training >= best.training:
        return Advice(kind="level", sentence=f"{course}; {kept}", options=None, gain=None)
    return Advice(
        kind="overfitted",
        sentence=f"overfitted: {course}, while the training loss fell from {best.training:.4f} to {last.training:.4f}; "
        f"{kept}, and training twice as long would probably gain less than 0.5%",
        options=None,
        gain=(-1.0, 0.005),
    )


def advice_on(run: Path) -> Advice | None:
    """`advise` for a run folder; None if its files can't be read or there is no advice."""
    folder = RunFolder(run)
    try:
        metrics, config = read_metrics(folder), folder.read_config()
    except RunError:
        return None
    hidden_size = None if config.init_from is not None else int(config.model.get("hidden_size", DEFAULT_HIDDEN_SIZE))
    return advise(metrics, hidden_size=hidden_size, training=config.training)


def _twice(training: TrainConfig, record: StepRecord, minutes: float) -> tuple[str, str]:
    """The limit that ended the run (judged by its last record), as an option, and twice its value."""
    done = {"--steps": record.step, "--epochs": record.epoch, "--minutes": minutes}
    limits = {"--steps": training.steps, "--epochs": training.epochs, "--minutes": training.minutes}
    shares = {option: done[option] / limit for option, limit in limits.items() if limit is not None}
    option = max(shares, key=lambda option: shares[option])
    return option, _format_length(2 * (limits[option] or 0))


def _points(metrics: Metrics) -> list[_Point]:
    """The validations whose losses are finite."""
    points = []
    steps = [0, *(record.step for record in metrics.validations)]
    for (before, step), record in zip(pairwise(steps), metrics.validations, strict=True):
        losses = [one.loss for one in metrics.steps if before < one.step <= step and one.loss is not None]
        if losses and record.nats_per_token is not None:
            points.append(_Point(step, record.seconds / 60, record.nats_per_token, mean(losses)))
    return points


def _format_length(length: float) -> str:
    return f"{length:.2g}" if length < 10 else f"{length:.0f}"

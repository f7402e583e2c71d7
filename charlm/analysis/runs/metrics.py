"""The records of a run in metrics.jsonl: its steps and its validations."""

from dataclasses import dataclass

from charlm.config import JsonConfig, check_amounts
from charlm.errors import ConfigError, RunError
from charlm.files import parse_object
from charlm.storage.run_file import read_run_file
from charlm.storage.runs import RunFolder


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """The records of a run, in the order they were written."""

    steps: tuple[StepRecord, ...]
    """At least one."""
    validations: tuple[ValidationRecord, ...]


def read_metrics(run: RunFolder) -> Metrics:
    """The records of a run. An incomplete last line is ignored: the run may still be writing it.

    Raises:
        RunError: the file can't be read, is damaged, or has no step record yet.
    """
    try:
        lines = read_run_file(run.metrics).splitlines()
    except FileNotFoundError:
        if run.path.is_dir():
            reason = f"it has no {run.metrics.name}, which a run writes with its first steps"
            raise RunError(f"no curves in {run.path}: {reason}") from None
        raise RunError(f"no curves in {run.path}: there is no such run; `charlm runs` lists those in runs/") from None
    except OSError as error:
        raise RunError(f"no curves in {run.path}: {run.metrics} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RunError(f"{run.metrics} is damaged: it is not UTF-8") from None
    steps, validations = list[StepRecord](), list[ValidationRecord]()
    for number, line in enumerate(lines, start=1):
        try:
            values = parse_object(line)
        except ValueError:
            if number < len(lines):
                raise RunError(f"{run.metrics} is damaged at line {number}") from None
            break
        kind = values.pop("kind", None)
        try:
            if kind == "step":
                steps.append(StepRecord.from_json(values))
            elif kind == "validation":
                validations.append(ValidationRecord.from_json(values))
            else:
                raise RunError(f"{run.metrics} is damaged at line {number}: it has no kind that is known")
        except ConfigError as error:
            raise RunError(f"{run.metrics} is damaged at line {number}: {error}") from None
    if not steps:
        raise RunError(f"no curves in {run.path}: no step has been logged yet; wait until the run has made ten steps")
    return Metrics(steps=tuple(steps), validations=tuple(validations))

"""How long a run is, and how much of it is done."""

from pathlib import Path

from charlm.config import TrainConfig
from charlm.data.dataset import TokenSplit
from charlm.errors import ConfigError, RunError
from charlm.training.state import TrainingState

_END = 2.0
"""Seconds that are left for the last validation, calibration and saving."""


def progress_of(state: TrainingState, config: TrainConfig, split: TokenSplit) -> float:
    """Share of the run that is done: that of the length which is nearest its end."""
    return min(1.0, max(done / whole for _, done, whole in _lengths(state, config, split)))


def require_rest(state: TrainingState, config: TrainConfig, split: TokenSplit, run: Path) -> None:
    """Raise unless something of the run is left: `RunError` where it is over, `ConfigError` where it never began."""
    for option, done, whole in _lengths(state, config, split):
        if done < whole:
            continue
        if state.step == 0:
            raise ConfigError(f"reading the text took all of {option} {whole:g}; give more")
        raise RunError(
            f"run {run} is over: it has had {done:.10g} of {option} {whole:.10g}; to go on give a larger {option}"
        )


def _lengths(state: TrainingState, config: TrainConfig, split: TokenSplit) -> list[tuple[str, float, float]]:
    """Each length that was asked for: its option, how much of it is done, and the whole."""
    epochs = state.cursor.epoch + state.cursor.tokens / split.facts.tokens
    lengths = (
        ("--steps", state.step, config.steps),
        ("--epochs", epochs, config.epochs),
        ("--minutes", _minutes_gone(state, config), config.minutes),
    )
    return [(option, done, whole) for option, done, whole in lengths if whole is not None]


def _minutes_gone(state: TrainingState, config: TrainConfig) -> float:
    """How much of the minutes is gone, what comes after the last step counted as gone already."""
    if config.minutes is None:
        return 0.0
    return state.elapsed() / 60 + min(_END / 60, 0.03 * config.minutes)

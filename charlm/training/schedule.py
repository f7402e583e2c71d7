"""The schedule of a run: its length, how much of it is done, and the learning rate at each moment."""

import logging
import math
from pathlib import Path

from charlm.config import TrainConfig
from charlm.data.token_split import TokenSplit
from charlm.errors import RunError
from charlm.training.state import TrainingState

logger = logging.getLogger(__name__)

_LEAST_RESERVE, _MOST_RESERVE = 0.03, 0.2
"""Shares of --minutes that are reserved for the work after the last step."""
_LEAST_TRAINING = 0.1  # of --minutes
_SCORED_PER_TRAINED = 0.1
"""Most tokens that the last validation scores, as a share of those trained on."""
_LARGEST_SAMPLE = 1 << 17
"""Most tokens that it scores if that is not the whole split."""
_SCORING_SPEED = 2.5
"""Tokens scored per second as a multiple of those trained on: scoring needs no gradient."""


def final_tokens(valid_tokens: int, trained_tokens: float) -> int:
    """How many tokens of the validation split the kept model is scored on at the end: all, if that takes no more than a
    twenty-fifth of the time of training."""
    affordable = int(_SCORED_PER_TRAINED * trained_tokens)
    return valid_tokens if valid_tokens <= affordable else min(_LARGEST_SAMPLE, affordable)


def progress_of(state: TrainingState, config: TrainConfig, split: TokenSplit) -> float:
    """Share of the run that is done, 0 to 1; of several lengths, the one closest to its end counts."""
    return min(1.0, max(done / whole for _, done, whole in _lengths(state, config, split)))


def require_rest(state: TrainingState, config: TrainConfig, split: TokenSplit, run: Path) -> None:
    """Raise `RunError` unless part of the run is left."""
    for option, done, whole in _lengths(state, config, split):
        if done >= whole:
            raise RunError(
                f"run {run} is finished ({_number(done)} of {_number(whole)} {option.removeprefix('--')}); to train "
                f"longer pass a larger {option}"
            )


def reserve_training(state: TrainingState, config: TrainConfig) -> None:
    """Before the first step, leave at least a tenth of --minutes for training, however long the preparation took.

    Logs a warning if the preparation took more than half of them.
    """
    if config.minutes is None:
        return
    whole, prepared = config.minutes * 60, state.elapsed()
    state.uncounted = max(0.0, prepared - (1 - _LEAST_TRAINING) * whole + _reserve(state, config))
    if prepared > whole / 2:
        counting = " (much of it for n-gram counts, which --ngram-order 0 leaves out)" * (state.model.prior is not None)
        logger.warning(
            "preparing the text took %.3g seconds of --minutes %.3g%s, so training gets only %.2g seconds; --minutes "
            "%.2g would leave three quarters for training",
            prepared,
            config.minutes,
            counting,
            whole - prepared + state.uncounted - _reserve(state, config),
            4 * prepared / 60,
        )


def _number(value: float) -> str:
    """Three digits of a fraction, but all digits of an integer."""
    return f"{value:.0f}" if isinstance(value, int) or value >= 100 else f"{value:.3g}"


def _lengths(state: TrainingState, config: TrainConfig, split: TokenSplit) -> list[tuple[str, float, float]]:
    """The lengths that the run is limited by: the option, how much of it is done, and the whole."""
    lengths = (
        ("--steps", state.step, config.steps),
        ("--epochs", state.epoch(split), config.epochs),
        ("--minutes", _minutes_used(state, config), config.minutes),
    )
    return [(option, done, whole) for option, done, whole in lengths if whole is not None]


def _minutes_used(state: TrainingState, config: TrainConfig) -> float:
    """Minutes used so far, including the time reserved for the work after the last step."""
    if config.minutes is None:
        return 0.0
    return (state.elapsed() - state.uncounted + _reserve(state, config)) / 60


def _reserve(state: TrainingState, config: TrainConfig) -> float:
    """Seconds reserved for the work after the last step: validation, calibration, the final score and saving."""
    whole = 60 * (config.minutes or 0.0)
    reserve = max(state.final_seconds, min(2.0, _LEAST_RESERVE * whole))
    trained = state.elapsed() - state.uncounted - state.first_progress * whole  # seconds since the first step
    if state.tokens and trained > 0:
        speed = state.tokens / trained
        scored = final_tokens(state.valid_tokens, speed * whole * (1 - state.first_progress))
        reserve += scored / (_SCORING_SPEED * speed)
    return min(reserve, _MOST_RESERVE * whole)


def learning_rate(progress: float, *, peak: float, warmup: float, final: float) -> float:
    """Linear warm-up, then cosine decay.

    Args:
        progress: share of the run that is done, 0 to 1; larger values count as 1.
        peak: the highest rate, reached at `warmup`.
        warmup: share of the run over which the rate rises from 0.
        final: the rate at the end, as a share of the peak.

    Source: Loshchilov and Hutter 2017 (arXiv 1608.03983), equation 5, without restarts.
    """
    progress = min(progress, 1.0)
    if progress < warmup:
        return peak * max(progress / warmup, 1e-3)
    decay = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * decay)))

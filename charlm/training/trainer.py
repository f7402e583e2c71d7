"""Training to the end of a run: the loop around its steps that logs, validates, writes samples and saves."""

from collections.abc import Callable
from dataclasses import dataclass

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.errors import TrainingDivergedError
from charlm.storage.runs import RunFolder
from charlm.training.divergence import how_to_continue
from charlm.training.events import Event
from charlm.training.run_log import RunLog
from charlm.training.schedule import progress_of, reserve_training
from charlm.training.state import TrainingState
from charlm.training.steps import training_steps
from charlm.training.validation import calibrate


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a run ended."""

    finished: bool
    """False when it was interrupted."""
    step: int
    epoch: float
    tokens: int
    seconds: float
    best: float | None
    """Validation loss of the saved model, nats per token; None without a validation split."""
    margin: float | None
    """Half the width of its 95% confidence interval, nats per token; 0 if the whole split was scored, None if the model
    is not calibrated."""
    best_step: int
    """The step of the kept model."""


def fit(
    run: RunFolder,
    state: TrainingState,
    dataset: Dataset,
    config: TrainConfig,
    *,
    log_sizes: tuple[int, int] = (0, 0),
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train to the end of the run; log, validate, write samples, and keep the best and the latest model.

    Args:
        run: the run folder, which has its configuration already.
        state: the state from `begin` or `restore`. If its last step is done, only what follows that is made up for:
            the last validation, and the calibration of the kept model.
        dataset: the dataset to train and validate on; without a validation split the latest model counts as the best.
        config: the training configuration.
        log_sizes: bytes of metrics.jsonl and samples.txt that belong to `state`; from `restore`.
        on_event: called with every event.
        should_stop: called after every step; if it returns True in one of the processes, everything is saved and
            training stops in all.

    Raises:
        TrainingDivergedError: the loss is not finite, or far worse than that of guessing.
        CharlmError: a file can't be written.
    """
    first_step, state.valid_tokens = state.step, dataset.valid.facts.tokens
    log = RunLog(run, state, dataset, config, log_sizes=log_sizes, on_event=on_event)
    try:
        stopped = _train(log, run, state, dataset, config, should_stop)
    except TrainingDivergedError as error:
        remedy = how_to_continue(
            run,
            config,
            first_step=first_step,
            saved_step=log.saved_step,
            diverged_step=state.step,
            kept_step=state.best_step,
        )
        raise TrainingDivergedError(f"{error}{remedy}") from None
    finally:
        log.close()
    best, margin = state.best, None
    calibrated = None if stopped else calibrate(run, state, dataset, config)
    if calibrated is not None:
        best, margin = calibrated.nats_per_token, calibrated.margin
    return Outcome(
        finished=not stopped,
        step=state.step,
        epoch=state.epoch(dataset.train),
        tokens=state.tokens,
        seconds=state.elapsed(),
        best=best,
        margin=margin,
        best_step=state.best_step,
    )


def _train(
    log: RunLog,
    run: RunFolder,
    state: TrainingState,
    dataset: Dataset,
    config: TrainConfig,
    should_stop: Callable[[], bool],
) -> bool:
    """The loop of `fit`; returns whether it was stopped before the end."""
    if state.step == 0:
        log.save()
        run.remove_replaced()
        reserve_training(state, config)
    done = progress_of(state, config, dataset.train)
    for event in training_steps(state, dataset.train, config, log.figures):
        log.add(event)
        if int(event.progress * config.validations) > int(done * config.validations):
            log.validate()
        done = max(done, event.progress)
        if should_stop():
            state.processes.request_stop()
        if state.processes.stopping:
            if done < 1:
                log.interrupt()
                return True
            break
        log.save_if_due()
    if state.validated_step < state.step:
        log.validate()
    log.finish()
    return False

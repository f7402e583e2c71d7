"""Training: a generator of steps, and the loop around it that logs, validates, writes samples and saves."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor
from torch.nn import Parameter

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.data.token_split import TokenSplit
from charlm.data.windows import Window, keep_rows, training_windows
from charlm.errors import TrainingDivergedError
from charlm.model.additions.lookups import Lookups
from charlm.model.language_model import LanguageModel
from charlm.model.loss import window_loss
from charlm.model.precision import training_precision
from charlm.model.sampled_softmax import TokenSampler
from charlm.storage.runs import RunFolder
from charlm.training.divergence import diverged, retry
from charlm.training.events import Event, StepEvent
from charlm.training.gpu.figures import Figures, clipped
from charlm.training.gpu.lookups import looked_up, looks_ahead
from charlm.training.run_log import RunLog
from charlm.training.schedule import learning_rate, progress_of, reserve_training
from charlm.training.state import TrainingState
from charlm.training.validation import calibrate

_LATEST_START = 0.99  # share of the run: even a run whose time is over makes a step


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


def training_steps(
    state: TrainingState, split: TokenSplit, config: TrainConfig, figures: Figures | None = None
) -> Iterator[StepEvent]:
    """Train until the end of the run and yield an event after each step; `state` is up to date at every yield.

    A step reads a window (T, B) with the recurrent state carried over from the last window, and backpropagates through
    its T tokens (truncated backpropagation through time, Williams and Peng 1990). The gradient's global norm is clipped
    (Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, algorithm 1) before the optimisers take their step.

    Each of several processes reads its rows of the window, and all take the same step, along the sum of their
    gradients. An event has the loss of all rows.

    Raises `TrainingDivergedError` for a loss or gradient that is not finite, before it reaches the weights. With
    `figures`, the events have neither loss nor gradient norm; `Figures.read` completes them and raises the error.
    """
    parameters = list(state.model.parameters())
    sampler = token_sampler(state.model, split, config)
    state.model.train()
    windows = _windows(state, split, config, every_token=sampler is None)
    while (progress := progress_of(state, config, split)) < 1 or state.step == 0:
        if state.step == 0:  # the schedule begins here, after the time spent on reading the text
            state.first_progress = progress = min(progress, _LATEST_START)
        window, lookups = next(windows)
        state.optimizers.zero_grad()
        own_nats = _backpropagate(state, window, config, sampler, lookups)
        state.processes.sum_gradients(parameters)
        norm = _clip_gradients(parameters, config.clip)
        nats = gradient_norm = math.nan
        if figures is None:
            nats, gradient_norm = _finite_figures(state, own_nats, norm, config)
        rate = learning_rate(
            (progress - state.first_progress) / (1 - state.first_progress),
            peak=config.learning_rate,
            warmup=config.warmup,
            final=config.final_learning_rate,
        )
        state.optimizers.step(rate)
        state.cursor = window.cursor
        state.step += 1
        state.average_weights(config.averaging)
        state.tokens += window.tokens
        event = StepEvent(
            step=state.step,
            epoch=state.epoch(split),
            progress=progress_of(state, config, split),
            tokens=state.tokens,
            seconds=state.elapsed(),
            loss=nats,
            gradient_norm=gradient_norm,
            clipped_norm=clipped(gradient_norm, config),
            learning_rate=rate,
        )
        if figures is not None:
            figures.add(event, own_nats, norm)
        yield event


def _windows(
    state: TrainingState, split: TokenSplit, config: TrainConfig, *, every_token: bool
) -> Iterator[tuple[Window, Lookups | None]]:
    """The windows of this process from where the training is, with their look-ups if they are made ahead.

    `every_token`: whether a step uses the probabilities of all tokens.
    """
    windows = training_windows(
        split,
        batch_size=config.batch_size,
        seq_len=config.seq_len,
        seed=config.seed,
        cursor=state.cursor,
        rows=state.processes.rows,
    )
    if looks_ahead(state.model):
        return looked_up(state.model, windows, state.states, every_token=every_token)
    return zip(windows, repeat(None))


def _clip_gradients(parameters: list[Parameter], longest: float) -> Tensor:
    """Scale the gradients down to a global norm of `longest`, unless that is 0; returns the norm before, ()."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if longest > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, longest, norm)
    return norm


def _finite_figures(state: TrainingState, own_nats: Tensor, norm: Tensor, config: TrainConfig) -> tuple[float, float]:
    """The loss of all processes and the gradient norm; raises `TrainingDivergedError` if one of them is not finite."""
    (nats,), gradient_norm = state.processes.total([own_nats.item()]).tolist(), norm.item()
    if not math.isfinite(nats) or not math.isfinite(gradient_norm):
        raise TrainingDivergedError(diverged(nats, gradient_norm, state.step + 1, config))
    return nats, gradient_norm


def token_sampler(model: LanguageModel, split: TokenSplit, config: TrainConfig) -> TokenSampler | None:
    """What draws the tokens of sampled softmax from the vocabulary of a training split; None for a full softmax."""
    vocab_size = model.config.vocab_size
    if not 0 < config.softmax_samples < vocab_size:
        return None
    return TokenSampler(split.token_counts(vocab_size), config.softmax_samples)


def _backpropagate(
    state: TrainingState, window: Window, config: TrainConfig, sampler: TokenSampler | None, lookups: Lookups | None
) -> Tensor:
    """Compute the gradients of the window's rows, and carry the states; returns the rows' part of the mean loss."""
    rows = window.ids.shape[1]
    if rows == 0:  # the window has fewer rows than there are processes
        state.states = state.model.initial_state(0)
        return torch.zeros(())
    states = state.model.carry(state.states, window, state.generator)
    with training_precision(state.model, config.precision):
        loss, states = window_loss(
            state.model, window, states, generator=state.generator, sampler=sampler, lookups=lookups
        )
    loss.backward()  # type: ignore[no-untyped-call]
    state.states = keep_rows(states, rows)
    return loss.detach()


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
        remedy = retry(
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
        run.settle()
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

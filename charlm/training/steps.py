"""The steps of training, as a generator: read a window, compute the loss, backpropagate it, and update the weights."""

import math
from collections.abc import Iterator
from itertools import repeat

import torch
from torch import Tensor
from torch.nn import Parameter

from charlm.config import TrainConfig
from charlm.data.token_split import TokenSplit
from charlm.data.windows import Window, keep_rows, training_windows
from charlm.errors import TrainingDivergedError
from charlm.model.additions.lookups import Lookups
from charlm.model.language_model import LanguageModel
from charlm.model.loss import window_loss
from charlm.model.precision import training_precision
from charlm.model.sampled_softmax import TokenSampler
from charlm.training.divergence import divergence_message
from charlm.training.events import StepEvent
from charlm.training.gpu.figures import Figures, clipped
from charlm.training.gpu.lookups import looked_up, looks_ahead
from charlm.training.schedule import learning_rate, progress_of
from charlm.training.state import TrainingState

_LATEST_START = 0.99  # share of the run: even a run whose time is over makes a step


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
        raise TrainingDivergedError(divergence_message(nats, gradient_norm, state.step + 1, config))
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

"""charlm from Python: train, resume and load do what the commands do, without printing."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from charlm.cells import find_cell
from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN_SIZE,
    CorpusOptions,
    ModelConfig,
    ModelOptions,
    RunConfig,
    TokenizerConfig,
    TrainConfig,
    TrainOptions,
    default_vectors,
)
from charlm.data.corpus import corpus_config, open_corpus, read_corpus
from charlm.data.dataset import Dataset, prepare
from charlm.data.sources import TextLike, find_sources
from charlm.errors import ConfigError, CorpusError, RunError
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.ngram_prior import default_order, fit_prior
from charlm.progress import Progress, silent
from charlm.storage.runs import RunFolder, find_run, new_run
from charlm.text_model import TextModel, load
from charlm.training.autotune import AutotunedSettings, autotune
from charlm.training.events import Event
from charlm.training.memory import keep_memory, memory_named
from charlm.training.schedule import require_rest
from charlm.training.state import TrainingState, begin, restore
from charlm.training.trainer import Outcome, fit
from charlm.training.validation import is_complete
from charlm.training.warnings import warn_about_run

logger = logging.getLogger(__name__)

__all__ = ["Callbacks", "Trained", "load", "resume", "resume_run", "train", "train_run"]

DEFAULT_LENGTH: TrainOptions = {"minutes": 5.0, "epochs": 20.0}
"""The default length of a run; it ends at the limit that it reaches first."""
_RESOLVED = ("embedding_size", "tie_weights", "ngram_order")
"""Fields of `ModelConfig` whose defaults depend on the text; a run's configuration stores the values that were used."""


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that are called during a run."""

    progress: Progress = silent
    """Called with the progress of reading and encoding."""
    on_settings: Callable[[AutotunedSettings], None] = lambda settings: None
    """Called by `train` with the auto-selected settings and the reasons for them, unless `auto` is False."""
    on_start: Callable[[RunFolder, Dataset, LanguageModel, TrainConfig], None] = lambda *_: None
    """Called before the first step with the run folder, the dataset, the network and all settings of training."""
    on_event: Callable[[Event], None] = lambda event: None
    """Called with every step, validation and sample."""
    should_stop: Callable[[], bool] = lambda: False
    """Called after every step; if it returns True, the run is saved and stops."""
    started: float | None = None
    """The `time.monotonic()` from which the run's minutes count; None is the time of the call."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a run."""

    run: Path
    """The run folder."""
    outcome: Outcome


def train(
    text: TextLike,
    *,
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    run: str | Path | None = None,
    corpus: CorpusOptions | None = None,
    tokenizer: TokenizerConfig | None = None,
    model: ModelOptions | None = None,
    training: TrainOptions | None = None,
    auto: bool = True,
    init_from: str | Path | None = None,
    overwrite: bool = False,
    callbacks: Callbacks | None = None,
) -> TextModel:
    """Train a model on a text, save it in a run folder, and load it.

    Args:
        text: files, folders, "-" for standard input, or named corpora.
        minutes: length of the run in minutes of wall-clock time. Without any length, a run ends after five minutes or
            20 epochs, whichever comes first.
        epochs: length of the run in passes over the training split.
        steps: length of the run in optimiser steps.
        run: the run folder; None is a new one in runs/, named after the text.
        corpus: how to read and split the text.
        tokenizer: the tokenizer to build; None builds a character tokenizer.
        model: options of the model, such as its cell and size.
        training: options of training.
        auto: choose any setting not given in `model` or `training` to suit the text and run length; False uses the
            defaults.
        init_from: a model to start from; its tokenizer and configuration are used.
        overwrite: replace the run in the folder `run`.
        callbacks: functions to call during the run.

    Raises:
        CharlmError: one of its subclasses, for any mistake that the user can fix.
    """
    trained = train_run(
        text,
        run=run,
        corpus=corpus,
        tokenizer=tokenizer,
        model=model,
        training=_with_lengths(training, minutes, epochs, steps),
        auto=auto,
        init_from=init_from,
        overwrite=overwrite,
        callbacks=callbacks,
    )
    return load(trained.run)


def resume(
    run: str | Path,
    *,
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    clip: float | None = None,
    text: TextLike | None = None,
    callbacks: Callbacks | None = None,
) -> TextModel:
    """Continue a run from where it was last saved, and load its model.

    Args:
        run: the run folder, or the name of the run.
        minutes: a new total length in minutes of wall-clock time, including earlier sessions. A new length of any kind
            replaces all limits that the run had.
        epochs: a new length in passes over the training split.
        steps: a new length in optimiser steps.
        learning_rate: a new peak learning rate, for a run that diverged.
        clip: a new largest gradient norm, for a run that diverged.
        text: the new location of the text, if it was moved; its content must be the same.
        callbacks: functions to call during the run.

    Raises:
        CharlmError: a subclass of it; `RunError` if the run has already reached its length (give a larger one) or is in
            use.
    """
    lengths = _with_lengths(None, minutes, epochs, steps)
    trained = resume_run(run, text=text, lengths=lengths, learning_rate=learning_rate, clip=clip, callbacks=callbacks)
    return load(trained.run)


@memory_named()
def train_run(
    text: TextLike,
    *,
    run: str | Path | None = None,
    corpus: CorpusOptions | None = None,
    tokenizer: TokenizerConfig | None = None,
    model: ModelOptions | None = None,
    training: TrainOptions | None = None,
    auto: bool = True,
    init_from: str | Path | None = None,
    overwrite: bool = False,
    callbacks: Callbacks | None = None,
) -> Trained:
    """Like `train`, with the length in `training`; returns the result of the run instead of the model."""
    if overwrite and run is None:
        raise ConfigError("--overwrite replaces the run that --run names; pass --run too")
    callbacks = _with_start(callbacks)
    training_options = dict(training or {})
    default_length: dict[str, Any] = {} if _has_length(training_options) else dict(DEFAULT_LENGTH)
    config = TrainConfig.from_json(default_length | training_options)
    options: dict[str, Any] = dict(model or {})
    _set_threads(config)
    sources = find_sources(text, progress=callbacks.progress, encoding=(corpus or {}).get("encoding", "utf-8"))
    text_config = corpus_config(sources, corpus or {})
    start_model = load(init_from) if init_from is not None else None
    if start_model is not None and tokenizer is not None:
        raise ConfigError("--init-from brings its own tokenizer; leave out the tokenizer options")
    _model_config(options, start_model, 2)  # fails on a wrong option before a long text is read
    folder = RunFolder(find_run(str(run)) if run is not None else new_run(sources.name))
    folder.require_room(overwrite=overwrite)
    tokenizer = tokenizer or TokenizerConfig()
    dataset = prepare(
        read_corpus(sources, text_config, progress=callbacks.progress),
        start_model.tokenizer if start_model else tokenizer,
        progress=callbacks.progress,
    )
    settings = _autotuned(dataset, options, start_model, config, training_options, callbacks) if auto else None
    if settings is not None:
        options, config = settings.model | options, replace(config, **settings.training)
    state = _first_state(dataset, options, start_model, config, callbacks)
    options |= {name: getattr(state.model.config, name) for name in _RESOLVED}
    require_rest(state, config, dataset.train, folder.path)
    if settings is not None:
        callbacks.on_settings(settings)
    run_config = RunConfig(
        text=sources.arguments,
        corpus=text_config,
        tokenizer=tokenizer if start_model is None else None,
        model=options,
        training=config,
        init_from=None if start_model is None else str(start_model.path.resolve()),
    )
    with folder.begun(run_config, overwrite=overwrite):
        return _fit(folder, state, dataset, config, callbacks)


@memory_named()
def resume_run(
    run: str | Path,
    *,
    text: TextLike | None = None,
    lengths: TrainOptions | None = None,
    learning_rate: float | None = None,
    clip: float | None = None,
    callbacks: Callbacks | None = None,
) -> Trained:
    """Like `resume`, with the new length in `lengths`; returns the result of the run instead of the model."""
    callbacks = _with_start(callbacks)
    folder = RunFolder(find_run(str(run)))
    with folder.reopened() as saved_config:
        run_config = saved_config
        if text is not None:
            run_config = replace(run_config, text=find_sources(text, progress=callbacks.progress).arguments)
        changes: dict[str, Any] = {"minutes": None, "epochs": None, "steps": None} | dict(lengths) if lengths else {}
        for name, value in (("learning_rate", learning_rate), ("clip", clip)):
            if value is not None:
                changes[name] = value
        training = TrainConfig.from_json(run_config.training.to_json() | changes)
        run_config = replace(run_config, training=training)
        config = run_config.training
        _set_threads(config)
        saved = folder.can_continue()
        corpus = open_corpus(run_config.text, run_config.corpus, progress=callbacks.progress)
        if saved:
            state, checkpoint, log_sizes = restore(folder, config, pick_device(config.device), _beginning(callbacks))
            if corpus.sha256 != checkpoint.corpus.get("sha256"):
                raise CorpusError(
                    f"the text {corpus.name} is not the one this run began with; --resume needs the same text"
                )
            dataset = prepare(corpus, checkpoint.tokenizer, progress=callbacks.progress)
            _restore_prior(state, dataset, callbacks, folder)
            if state.best_step > 0 and not folder.model.exists():
                logger.warning("%s is missing; the next validation saves a new model", folder.model)
                state.forget_best()
        else:  # the run stopped before it saved anything
            start_model = load(run_config.init_from) if run_config.init_from is not None else None
            tokenizer = start_model.tokenizer if start_model else run_config.tokenizer or TokenizerConfig()
            dataset = prepare(corpus, tokenizer, progress=callbacks.progress)
            state, log_sizes = _first_state(dataset, run_config.model, start_model, config, callbacks), (0, 0)
        if state.step == 0 or is_complete(folder, state, dataset):
            require_rest(state, config, dataset.train, folder.path)
        if run_config != saved_config:
            folder.write_config(run_config)
        return _fit(folder, state, dataset, config, callbacks, log_sizes)


def _with_lengths(
    training: TrainOptions | None, minutes: float | None, epochs: float | None, steps: int | None
) -> TrainOptions:
    lengths = {"minutes": minutes, "epochs": epochs, "steps": steps}
    given = {name: length for name, length in lengths.items() if length is not None}
    return cast(TrainOptions, dict(training or {}) | given)


def _has_length(training_options: Mapping[str, Any]) -> bool:
    return any(training_options.get(name) is not None for name in ("minutes", "epochs", "steps"))


def _set_threads(config: TrainConfig) -> None:
    """Set the number of threads; raises `ConfigError` for a device that is not available."""
    pick_device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def _autotuned(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: TextModel | None,
    config: TrainConfig,
    training_options: Mapping[str, Any],
    callbacks: Callbacks,
) -> AutotunedSettings:
    """Settings selected from the text and the length of the run, without those that are given or fixed by a model."""
    if start_model is not None:
        hidden_size = start_model.model.config.hidden_size
    else:
        hidden_size = options.get("hidden_size", options.get("embedding_size") if options.get("tie_weights") else None)
    elapsed, cell = time.monotonic() - _beginning(callbacks), options.get("cell", DEFAULT_CELL)
    order = options.get("ngram_order", default_order(dataset.tokenizer.vocab_size))
    settings = autotune(
        dataset, config, training_options, seconds=elapsed, hidden_size=hidden_size, cell=cell, ngram_order=order
    )
    fixed = options if start_model is None else settings.model
    return settings.without({*fixed, *training_options})


def _first_state(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: TextModel | None,
    config: TrainConfig,
    callbacks: Callbacks,
) -> TrainingState:
    """The state before the first step, with newly drawn weights or those of the model to start from."""
    model_config = _model_config(options, start_model, dataset.tokenizer.vocab_size)
    if start_model is not None:
        model = start_model.model
    else:
        model = LanguageModel(model_config)
        generator = torch.Generator().manual_seed(config.seed)
        model.initialise(generator, silent=dataset.tokenizer.never_written)
    if model_config.ngram_order:
        model.build_on(
            *fit_prior(dataset.train, dataset.tokenizer, model_config.ngram_order, progress=callbacks.progress)
        )
    return begin(model, config, pick_device(config.device), _beginning(callbacks))


def _restore_prior(state: TrainingState, dataset: Dataset, callbacks: Callbacks, folder: RunFolder) -> None:
    """Fit the n-gram prior of a resumed model again; raises `RunError` if it has other n-grams than before."""
    prior = state.model.prior
    if prior is None:
        return
    before = prior.ngram
    ngram, cross_fit = fit_prior(dataset.train, dataset.tokenizer, prior.order, progress=callbacks.progress)
    if before is None or not ngram.same_nodes(before):
        raise RunError(
            f"run {folder.path} was made by a version of charlm that counts n-grams differently; start a new run with "
            f"--init-from {folder.model}"
        )
    prior.ngram, prior.cross_fit = ngram, cross_fit
    if state.average.prior is not None:
        state.average.prior.ngram = ngram


def _fit(
    folder: RunFolder,
    state: TrainingState,
    dataset: Dataset,
    config: TrainConfig,
    callbacks: Callbacks,
    log_sizes: tuple[int, int] = (0, 0),
) -> Trained:
    keep_memory()
    warn_about_run(dataset, state.model, config)
    callbacks.on_start(folder, dataset, state.model, config)
    outcome = fit(
        folder,
        state,
        dataset,
        config,
        log_sizes=log_sizes,
        observer=callbacks.on_event,
        should_stop=callbacks.should_stop,
    )
    return Trained(run=folder.path, outcome=outcome)


def _model_config(options: Mapping[str, Any], start_model: TextModel | None, vocab_size: int) -> ModelConfig:
    """The configuration of the model; raises `ConfigError` for an option that contradicts the model to start from."""
    options = dict(options)
    if "cell" in options:
        find_cell(options["cell"])
    if start_model is not None:
        config = start_model.model.config
        for name, value in options.items():
            if getattr(config, name) != value:
                option = f"{name} {getattr(config, name)!r}"
                raise ConfigError(f"--init-from {start_model.path} has {option}, not {value!r}; leave the option out")
        return config
    if options.get("embedding_size") is None:
        hidden_size = options.get("hidden_size", DEFAULT_HIDDEN_SIZE)
        options |= default_vectors(vocab_size, hidden_size, tie_weights=options.get("tie_weights"))
    options.setdefault("ngram_order", default_order(vocab_size))
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def _with_start(callbacks: Callbacks | None) -> Callbacks:
    """The callbacks with `started` set."""
    callbacks = callbacks or Callbacks()
    return callbacks if callbacks.started is not None else replace(callbacks, started=time.monotonic())


def _beginning(callbacks: Callbacks) -> float:
    """The time.monotonic() at which the run's minutes begin; `_with_start` has set it."""
    assert callbacks.started is not None
    return callbacks.started

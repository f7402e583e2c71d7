"""charlm from Python: train, resume and load, each what the command does, without the printing."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from charlm.cells import find_cell
from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN,
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
from charlm.training.run_length import require_rest
from charlm.training.state import TrainingState, begin, restore
from charlm.training.trainer import Outcome, fit
from charlm.training.warnings import warn_about_run

__all__ = ["Callbacks", "Trained", "load", "resume", "resume_run", "train", "train_run"]

DEFAULT_LENGTH: TrainOptions = {"minutes": 5.0, "epochs": 20.0}
"""Length of a run without --minutes, --epochs and --steps: whichever ends first."""
_RESOLVED = ("embedding_size", "tie_weights", "ngram_order")
"""Fields of `ModelConfig` that a run's configuration keeps as they were resolved."""


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that are called during a run, and may end it."""

    progress: Progress = silent
    """Told how far reading and encoding are."""
    on_settings: Callable[[AutotunedSettings], None] = lambda settings: None
    """Given the auto-selected settings, with reasons."""
    on_start: Callable[[RunFolder, Dataset, LanguageModel, TrainConfig], None] = lambda *_: None
    """Called when training is about to begin."""
    on_event: Callable[[Event], None] = lambda event: None
    """Given every step, validation and sample."""
    should_stop: Callable[[], bool] = lambda: False
    """Asked after every step; True saves everything and stops."""
    started: float | None = None
    """time.monotonic() from which the minutes of the run count; None is the moment of the call."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a run came to."""

    run: Path
    """Its folder."""
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
    """Train a model on a text, keep it in a run folder, and load it.

    Args:
        text: files, folders, "-" or registered names.
        minutes: length of the run by the clock. Without any length it is five minutes, or 20 epochs if they end sooner.
        epochs: length in passes over the training split.
        steps: length in optimiser steps.
        run: the folder; None is a new one in runs/, named after the text.
        corpus: how to read and split the text.
        tokenizer: None is characters.
        model: the shape of the model.
        training: how to train it.
        auto: choose what `model` and `training` don't give from the text and the length; False takes the defaults.
        init_from: a model to begin with; its tokenizer and shape are taken over.
        overwrite: replace the run that is in the folder; needs `run`.
        callbacks: what is called during the run.

    Raises:
        CharlmError: one of its kinds, for whatever a user can fix.
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
    text: TextLike | None = None,
    callbacks: Callbacks | None = None,
) -> TextModel:
    """Continue a run from where it was saved last, and load its model.

    Args:
        run: its folder or name.
        minutes: a new length by the clock, all sessions added up. A new length replaces all that the run began with.
        epochs: a new length in passes over the training split.
        steps: a new length in optimiser steps.
        text: where the text is now, if it was moved; it must be the same.
        callbacks: what is called during the run.

    Raises:
        CharlmError: one of its kinds; a `RunError` if the run is over already, or in use.
    """
    lengths = _with_lengths(None, minutes, epochs, steps)
    return load(resume_run(run, text=text, lengths=lengths, callbacks=callbacks).run)


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
    """As `train`, with the lengths in `training`; returns how the run ended instead of its model."""
    if overwrite and run is None:
        raise ConfigError("--overwrite replaces the run that --run names; pass --run too")
    callbacks = _with_start(callbacks)
    given = dict(training or {})
    config = TrainConfig.from_json((dict(DEFAULT_LENGTH) if not _has_length(given) else {}) | given)
    options: dict[str, Any] = dict(model or {})
    _use_machine(config)
    sources = find_sources(text, progress=callbacks.progress, encoding=(corpus or {}).get("encoding", "utf-8"))
    text_config = corpus_config(sources, corpus or {})
    first = load(init_from) if init_from is not None else None
    if first is not None and tokenizer is not None:
        raise ConfigError("--init-from brings its own tokenizer; leave out the options of the tokenizer")
    _model_config(options, first, 2)  # so that a wrong option fails here, before a long text is read
    folder = RunFolder(find_run(str(run)) if run is not None else new_run(sources.name))
    folder.require_room(overwrite=overwrite)
    tokenizer = tokenizer or TokenizerConfig()
    dataset = prepare(
        read_corpus(sources, text_config, progress=callbacks.progress),
        first.tokenizer if first else tokenizer,
        progress=callbacks.progress,
    )
    settings = _autotuned(dataset, options, first, config, given, callbacks) if auto else None
    if settings is not None:
        options, config = settings.model | options, replace(config, **settings.training)
    state = _first_state(dataset, options, first, config, callbacks)
    options |= {name: getattr(state.model.config, name) for name in _RESOLVED}
    require_rest(state, config, dataset.train, folder.path)
    if settings is not None:
        callbacks.on_settings(settings)
    asked = RunConfig(
        text=sources.arguments,
        corpus=text_config,
        tokenizer=tokenizer if first is None else None,
        model=options,
        training=config,
        init_from=None if first is None else str(first.path.resolve()),
    )
    with folder.begun(asked, overwrite=overwrite):
        return _fit(folder, state, dataset, config, callbacks)


@memory_named()
def resume_run(
    run: str | Path,
    *,
    text: TextLike | None = None,
    lengths: TrainOptions | None = None,
    callbacks: Callbacks | None = None,
) -> Trained:
    """As `resume`, with the lengths in `lengths`; returns how the run ended instead of its model."""
    callbacks = _with_start(callbacks)
    folder = RunFolder(find_run(str(run)))
    with folder.reopened() as before:
        asked = before
        if text is not None:
            asked = replace(asked, text=find_sources(text, progress=callbacks.progress).arguments)
        if lengths:
            without = {"minutes": None, "epochs": None, "steps": None}
            asked = replace(asked, training=TrainConfig.from_json(asked.training.to_json() | without | dict(lengths)))
        config = asked.training
        _use_machine(config)
        corpus = open_corpus(asked.text, asked.corpus, progress=callbacks.progress)
        if folder.resume.exists():
            state, checkpoint, written = restore(folder, config, pick_device(config.device), _beginning(callbacks))
            if corpus.sha256 != checkpoint.corpus.get("sha256"):
                raise CorpusError(
                    f"the text {corpus.name} is not the one this run began with; --resume needs the same text"
                )
            dataset = prepare(corpus, checkpoint.tokenizer, progress=callbacks.progress)
            _restore_prior(state, dataset, callbacks, folder)
        else:  # it was stopped before it saved anything
            first = load(asked.init_from) if asked.init_from is not None else None
            tokenizer = first.tokenizer if first else asked.tokenizer or TokenizerConfig()
            dataset = prepare(corpus, tokenizer, progress=callbacks.progress)
            state, written = _first_state(dataset, asked.model, first, config, callbacks), (0, 0)
        require_rest(state, config, dataset.train, folder.path)
        if asked != before:
            folder.write_config(asked)
        return _fit(folder, state, dataset, config, callbacks, written)


def _with_lengths(
    training: TrainOptions | None, minutes: float | None, epochs: float | None, steps: int | None
) -> TrainOptions:
    lengths = {"minutes": minutes, "epochs": epochs, "steps": steps}
    given = {name: length for name, length in lengths.items() if length is not None}
    return cast(TrainOptions, dict(training or {}) | given)


def _has_length(given: Mapping[str, Any]) -> bool:
    return any(given.get(name) is not None for name in ("minutes", "epochs", "steps"))


def _use_machine(config: TrainConfig) -> None:
    """Set the threads; raises `ConfigError` for a device that isn't there."""
    pick_device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def _autotuned(
    dataset: Dataset,
    options: Mapping[str, Any],
    first: TextModel | None,
    config: TrainConfig,
    given: Mapping[str, Any],
    callbacks: Callbacks,
) -> AutotunedSettings:
    """The settings that neither the options nor a first model fix, chosen from the text and the length."""
    if first is not None:
        width = first.model.config.hidden_size
    else:
        width = options.get("hidden_size", options.get("embedding_size") if options.get("tie_weights") else None)
    gone, cell = time.monotonic() - _beginning(callbacks), options.get("cell", DEFAULT_CELL)
    order = options.get("ngram_order", default_order(dataset.tokenizer.vocab_size))
    settings = autotune(dataset, config, given, seconds=gone, width=width, cell=cell, ngram_order=order)
    return settings.without({*options, *given} if first is None else {*settings.model, *given})


def _first_state(
    dataset: Dataset, options: Mapping[str, Any], first: TextModel | None, config: TrainConfig, callbacks: Callbacks
) -> TrainingState:
    """The state before the first step: a model of freshly drawn weights, or the one to begin with."""
    shape = _model_config(options, first, dataset.tokenizer.vocab_size)
    if first is not None:
        model = first.model
    else:
        model = LanguageModel(shape)
        generator = torch.Generator().manual_seed(config.seed)
        model.initialise(generator, silent=dataset.tokenizer.never_written)
    if shape.ngram_order:
        model.build_on(*fit_prior(dataset.train, dataset.tokenizer, shape.ngram_order, progress=callbacks.progress))
    return begin(model, config, pick_device(config.device), _beginning(callbacks))


def _restore_prior(state: TrainingState, dataset: Dataset, callbacks: Callbacks, folder: RunFolder) -> None:
    """Count the n-grams that a resumed model builds on again; raises `RunError` if they are no longer the same."""
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
    written: tuple[int, int] = (0, 0),
) -> Trained:
    keep_memory()
    warn_about_run(dataset, state.model, config)
    callbacks.on_start(folder, dataset, state.model, config)
    outcome = fit(
        folder,
        state,
        dataset,
        config,
        log_sizes=written,
        observer=callbacks.on_event,
        should_stop=callbacks.should_stop,
    )
    return Trained(run=folder.path, outcome=outcome)


def _model_config(options: Mapping[str, Any], first: TextModel | None, vocab_size: int) -> ModelConfig:
    """The model's shape from the options; with a model to begin with, its shape, which they must not contradict."""
    options = dict(options)
    if "cell" in options:
        find_cell(options["cell"])
    if first is not None:
        config = first.model.config
        for name, value in options.items():
            if getattr(config, name) != value:
                raise ConfigError(
                    f"--init-from {first.path} has {name} {getattr(config, name)!r}, not {value!r}; leave the option out"
                )
        return config
    if options.get("embedding_size") is None:
        hidden = options.get("hidden_size", DEFAULT_HIDDEN)
        options |= default_vectors(vocab_size, hidden, tie_weights=options.get("tie_weights"))
    options.setdefault("ngram_order", default_order(vocab_size))
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def _with_start(callbacks: Callbacks | None) -> Callbacks:
    callbacks = callbacks or Callbacks()
    return callbacks if callbacks.started is not None else replace(callbacks, started=time.monotonic())


def _beginning(callbacks: Callbacks) -> float:
    """The moment from which the run's time counts; `_with_start` has set it."""
    assert callbacks.started is not None
    return callbacks.started

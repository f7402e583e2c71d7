"""charlm from Python: train, resume, load and sample, each what a command does, without the printing."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from charlm.cells import find_cell
from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN,
    ModelConfig,
    RunConfig,
    TokenizerConfig,
    TrainConfig,
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
from charlm.text_model import TextModel, load, sample
from charlm.training.autotune import AutotunedSettings, autotune
from charlm.training.events import Event
from charlm.training.memory import keep_memory, memory_named
from charlm.training.run_length import require_rest
from charlm.training.state import TrainingState, begin, restore
from charlm.training.trainer import Outcome, fit
from charlm.training.warnings import warn_about_run

__all__ = ["Hooks", "TextModel", "Trained", "load", "resume", "sample", "train"]

DEFAULT_LENGTH = {"minutes": 5.0, "epochs": 20.0}
"""How long a run is when nothing is said: whichever ends first."""
_RESOLVED = ("embedding_size", "tie_weights", "ngram_order")
"""Fields of `ModelConfig` that are kept in a run's configuration as they came to be."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Who is told of a run while it goes on, and may end it."""

    progress: Progress = silent
    """Told how far reading and encoding are."""
    planned: Callable[[AutotunedSettings], None] = lambda plan: None
    """Told what was chosen for a run, and why."""
    prepared: Callable[[RunFolder, Dataset, LanguageModel, TrainConfig], None] = lambda *_: None
    """Told when training is about to begin."""
    observer: Callable[[Event], None] = lambda record: None
    """Shown every record."""
    should_stop: Callable[[], bool] = lambda: False
    """NgramQuery after every step; yes saves everything and ends the session."""
    started: float | None = None
    """time.monotonic() from which --minutes counts; None is the call."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a call of `train` or `resume` came to."""

    run: Path
    outcome: Outcome


@memory_named()
def train(
    text: TextLike,
    *,
    run: str | Path | None = None,
    corpus: Mapping[str, Any] | None = None,
    tokenizer: TokenizerConfig | None = None,
    model: Mapping[str, Any] | None = None,
    training: TrainConfig | Mapping[str, Any] | None = None,
    init_from: str | Path | None = None,
    overwrite: bool = False,
    hooks: Hooks | None = None,
) -> Trained:
    """Train a model and keep it in a run folder.

    Args:
        text: files, folders, "-" or registered names.
        run: the folder; None is a new one in runs/, named after the text.
        corpus: fields of `CorpusConfig`; what isn't given is as the registry says, or the default.
        tokenizer: None is characters.
        model: fields of `ModelConfig` without the vocabulary size; what isn't given is chosen as `training` says.
        training: fields of `TrainConfig`. What isn't given is chosen by `charlm.training.autotune` from the text and the length of
            the run, and so is what `model` leaves open; without a length it is five minutes, or 20 epochs if they end
            sooner. A `TrainConfig` is taken as it is, and nothing is chosen.
        init_from: a model to begin with; its tokenizer and shape are taken over.
        overwrite: replace the run that is in the folder; needs `run`.
        hooks: who is told, and may end it.

    Raises:
        CharlmError: one of its kinds, for whatever a user can mend.
    """
    if overwrite and run is None:
        raise ConfigError("--overwrite replaces the run that --run names; pass --run too")
    hooks = _started(hooks)
    given = None
    if not isinstance(training, TrainConfig):
        given = dict(training or {})
        training = TrainConfig.from_json(({} if _has_length(given) else DEFAULT_LENGTH) | given)
    model = dict(model or {})
    _use_machine(training)
    found = find_sources(text, progress=hooks.progress, encoding=(corpus or {}).get("encoding", "utf-8"))
    config = corpus_config(found, corpus or {})
    first = load(init_from) if init_from is not None else None
    if first is not None and tokenizer is not None:
        raise ConfigError("--init-from brings its own tokenizer; leave out the options of the tokenizer")
    _model_config(model, first, 2)  # so that a wrong option ends here, before a long text is read
    folder = RunFolder(find_run(str(run)) if run is not None else new_run(found.name))
    folder.require_room(overwrite=overwrite)
    tokenizer = tokenizer or TokenizerConfig()
    dataset = prepare(
        read_corpus(found, config, progress=hooks.progress),
        first.checkpoint.tokenizer if first else tokenizer,
        progress=hooks.progress,
    )
    planned = None if given is None else _plan(dataset, model, first, training, given, hooks)
    if planned is not None:
        model, training = planned.model | model, replace(training, **planned.training)
    state = _first_state(dataset, model, first, training, hooks)
    model |= {name: getattr(state.model.config, name) for name in _RESOLVED}
    require_rest(state, training, dataset.train, folder.path)
    if planned is not None:
        hooks.planned(planned)
    asked = RunConfig(
        text=found.arguments,
        corpus=config,
        tokenizer=tokenizer if first is None else None,
        model=model,
        training=training,
        init_from=None if first is None else str(first.path.resolve()),
    )
    with folder.begun(asked, overwrite=overwrite):
        return _fit(folder, state, dataset, training, hooks)


def _use_machine(config: TrainConfig) -> None:
    """Set the threads; raises `ConfigError` for a device that isn't there."""
    pick_device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def _has_length(given: Mapping[str, Any]) -> bool:
    return any(given.get(name) is not None for name in ("minutes", "epochs", "steps"))


def _plan(
    dataset: Dataset,
    options: Mapping[str, Any],
    first: TextModel | None,
    config: TrainConfig,
    given: Mapping[str, Any],
    hooks: Hooks,
) -> AutotunedSettings:
    """What `charlm.training.autotune` chooses for a text and a length, of what neither options nor a first model settle."""
    if first is not None:
        width = first.checkpoint.model.config.hidden_size
    else:
        width = options.get("hidden_size", options.get("embedding_size") if options.get("tie_weights") else None)
    gone, cell = time.monotonic() - _beginning(hooks), options.get("cell", DEFAULT_CELL)
    order = options.get("ngram_order", default_order(dataset.tokenizer.vocab_size))
    planned = autotune(dataset, config, given, seconds=gone, width=width, cell=cell, ngram_order=order)
    return planned.without({*options, *given} if first is None else {*planned.model, *given})


@memory_named()
def resume(
    run: str | Path,
    *,
    text: TextLike | None = None,
    lengths: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> Trained:
    """Go on with a run where it was saved last.

    Args:
        run: its folder or name.
        text: where the text is now, if it was moved; it must be the same.
        lengths: other `minutes`, `epochs` or `steps` than the run was begun with; they replace all three.
        hooks: who is told, and may end it.

    Raises:
        CharlmError: one of its kinds; a `RunError` where the run is over already, or in use.
    """
    hooks = _started(hooks)
    folder = RunFolder(find_run(str(run)))
    with folder.reopened() as before:
        asked = before
        if text is not None:
            asked = replace(asked, text=find_sources(text, progress=hooks.progress).arguments)
        if lengths:
            without = {"minutes": None, "epochs": None, "steps": None}
            asked = replace(asked, training=TrainConfig.from_json(asked.training.to_json() | without | dict(lengths)))
        config = asked.training
        _use_machine(config)
        corpus = open_corpus(asked.text, asked.corpus, progress=hooks.progress)
        if folder.resume.exists():
            state, checkpoint, written = restore(folder, config, pick_device(config.device), _beginning(hooks))
            if corpus.sha256 != checkpoint.corpus.get("sha256"):
                raise CorpusError(
                    f"the text {corpus.name} is not the one this run was begun with; --resume needs the same text"
                )
            dataset = prepare(corpus, checkpoint.tokenizer, progress=hooks.progress)
            _give_prior(state, dataset, hooks, folder)
        else:  # it was stopped before it saved anything
            first = load(asked.init_from) if asked.init_from is not None else None
            tokenizer = first.checkpoint.tokenizer if first else asked.tokenizer or TokenizerConfig()
            dataset = prepare(corpus, tokenizer, progress=hooks.progress)
            state, written = _first_state(dataset, asked.model, first, config, hooks), (0, 0)
        require_rest(state, config, dataset.train, folder.path)
        if asked != before:
            folder.write_config(asked)
        return _fit(folder, state, dataset, config, hooks, written)


def _first_state(
    dataset: Dataset, options: Mapping[str, Any], first: TextModel | None, config: TrainConfig, hooks: Hooks
) -> TrainingState:
    """The state before the first step: a model of freshly drawn weights, or the one to begin with."""
    shape = _model_config(options, first, dataset.tokenizer.vocab_size)
    if first is not None:
        model = first.checkpoint.model
    else:
        model = LanguageModel(shape)
        generator = torch.Generator().manual_seed(config.seed)
        model.initialise(generator, silent=dataset.tokenizer.never_written)
    if shape.ngram_order:
        model.build_on(*fit_prior(dataset.train, dataset.tokenizer, shape.ngram_order, progress=hooks.progress))
    return begin(model, config, pick_device(config.device), _beginning(hooks))


def _give_prior(state: TrainingState, dataset: Dataset, hooks: Hooks, folder: RunFolder) -> None:
    """Count again the n-grams that a resumed model builds on; raises `RunError` where they are no longer the same."""
    prior = state.model.prior
    if prior is not None:
        before = prior.ngram
        ngram, cross_fit = fit_prior(dataset.train, dataset.tokenizer, prior.order, progress=hooks.progress)
        if before is None or not ngram.same_nodes(before):
            raise RunError(
                f"run {folder.path} was begun by a charlm that counts n-grams otherwise; begin anew with --init-from "
                f"{folder.model}"
            )
        prior.ngram, prior.cross_fit = ngram, cross_fit
        if state.average.prior is not None:
            state.average.prior.ngram = ngram


def _fit(
    folder: RunFolder,
    state: TrainingState,
    dataset: Dataset,
    config: TrainConfig,
    hooks: Hooks,
    written: tuple[int, int] = (0, 0),
) -> Trained:
    keep_memory()
    warn_about_run(dataset, state.model, config)
    hooks.prepared(folder, dataset, state.model, config)
    outcome = fit(
        folder, state, dataset, config, log_sizes=written, observer=hooks.observer, should_stop=hooks.should_stop
    )
    return Trained(run=folder.path, outcome=outcome)


def _model_config(options: Mapping[str, Any], first: TextModel | None, vocab_size: int) -> ModelConfig:
    """The model's shape from the options; with a model to begin with, its shape, which they must not contradict."""
    options = dict(options)
    if "cell" in options:
        find_cell(options["cell"])
    if first is not None:
        config = first.checkpoint.model.config
        for name, value in options.items():
            if getattr(config, name) != value:
                raise ConfigError(
                    f"--init-from {first.path} has {name} {getattr(config, name)!r}, not {value!r}; "
                    "leave the option out"
                )
        return config
    if options.get("embedding_size") is None:
        hidden = options.get("hidden_size", DEFAULT_HIDDEN)
        options |= default_vectors(vocab_size, hidden, tie_weights=options.get("tie_weights"))
    options.setdefault("ngram_order", default_order(vocab_size))
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def _started(hooks: Hooks | None) -> Hooks:
    hooks = hooks or Hooks()
    return hooks if hooks.started is not None else replace(hooks, started=time.monotonic())


def _beginning(hooks: Hooks) -> float:
    """The moment from which the run's time counts; `_started` has set it."""
    assert hooks.started is not None
    return hooks.started

"""charlm from Python: train, resume and load do what the commands do, without printing."""

import logging
import shlex
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack, cast

import torch

from charlm.config import (
    CorpusOptions,
    ModelOptions,
    RunConfig,
    RunSettings,
    TokenizerConfig,
    TrainConfig,
    TrainOptions,
)
from charlm.config.names import divide_settings, names_checked
from charlm.data.corpus import corpus_config, open_corpus, read_corpus
from charlm.data.dataset import Dataset, make_dataset
from charlm.data.sources import TextLike, find_sources, missing_text
from charlm.data.splits import HeldOutTexts, check_splits
from charlm.errors import ConfigError, CorpusError
from charlm.loading import load
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.memory import keep_memory, machine_memory, memory_named
from charlm.model.ngram_prior import default_memory
from charlm.processes.distributed import joined
from charlm.processes.processes import Processes
from charlm.progress import Progress, silent
from charlm.storage.runs import RunFolder, find_run, new_run
from charlm.text_model import TextModel
from charlm.training.events import Event
from charlm.training.schedule import require_rest
from charlm.training.start.agreement import common_start, require_rows, require_same_texts
from charlm.training.start.autotune import AutotunedSettings
from charlm.training.start.base import AUTO, NONE, load_base, reason_for_base
from charlm.training.start.fine_tuning import (
    knows_the_script,
    load_start_model,
    tokenizer_of_run,
    warn_about_script,
)
from charlm.training.start.first_state import (
    SHAPE,
    autotuned,
    check_model_options,
    first_state,
    refit_prior,
    with_valid_text,
)
from charlm.training.state import TrainingState, restore
from charlm.training.trainer import Outcome, fit
from charlm.training.validation import is_complete
from charlm.training.warnings import PassesCheck, warn_about_run

logger = logging.getLogger(__name__)

__all__ = ["Callbacks", "Trained", "load", "resume", "resume_run", "train", "train_run"]

DEFAULT_LENGTH: TrainOptions = {"minutes": 5.0, "epochs": 20.0}
"""The default length of a run; it ends at the limit that it reaches first."""
_RESOLVED = ("num_layers", "hidden_size", "embedding_size", "tie_weights", "ngram_order")
"""Fields of `ModelConfig` whose defaults depend on the text; a run's configuration stores the values that were used."""


@names_checked
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


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a run."""

    run: Path
    """The run folder."""
    outcome: Outcome
    dataset: Dataset
    """The text of the run."""


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
    valid: TextLike | None = None,
    test: TextLike | None = None,
    auto: bool = True,
    init_from: str | Path | None = AUTO,
    overwrite: bool = False,
    callbacks: Callbacks | None = None,
    **settings: Unpack[RunSettings],
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
        valid: a text that is the whole validation split, as `text` is for training; None takes it from `text`.
        test: the same for the test split, which is not read before it is scored.
        auto: choose any setting not given in `model` or `training` to suit the text and run length; False uses the
            defaults.
        init_from: a model to start from. A vocabulary of characters is that of the text; other tokenizers are kept.
            "auto" starts from the bundled model of English if that predicts the text well, None or "none" from nothing.
        overwrite: replace the run in the folder `run`.
        callbacks: functions to call during the run.
        settings: any setting of `corpus`, `model` and `training`, such as documents="line", cell="gru" or seed=2.

    Raises:
        CharlmError: one of its subclasses, for any mistake that the user can fix.
    """
    own_corpus, own_model, own_training = divide_settings(train, settings, CorpusOptions, ModelOptions, TrainOptions)
    options = _with_lengths(cast(TrainOptions, {**(training or {}), **own_training}), minutes, epochs, steps)
    with joined() as processes:
        trained = train_run(
            text,
            run=run,
            corpus=cast(CorpusOptions, {**(corpus or {}), **own_corpus}),
            tokenizer=tokenizer,
            model=cast(ModelOptions, {**(model or {}), **own_model}),
            training=options,
            valid=valid,
            test=test,
            auto=auto,
            init_from=init_from,
            overwrite=overwrite,
            callbacks=callbacks,
            processes=processes,
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
    with joined() as processes:
        trained = resume_run(
            run,
            text=text,
            lengths=_with_lengths(None, minutes, epochs, steps),
            learning_rate=learning_rate,
            clip=clip,
            callbacks=callbacks,
            processes=processes,
        )
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
    valid: TextLike | None = None,
    test: TextLike | None = None,
    auto: bool = True,
    init_from: str | Path | None = AUTO,
    overwrite: bool = False,
    callbacks: Callbacks | None = None,
    started: float | None = None,
    processes: Processes | None = None,
) -> Trained:
    """Like `train`, with the length in `training`; returns the result of the run instead of the model.

    `started` is the `time.monotonic()` from which the run's minutes count; None is the time of the call. `processes`
    are those that train together, from `charlm.processes.distributed.joined`; None trains in this one.
    """
    callbacks, processes = callbacks or Callbacks(), processes or Processes()
    started = common_start(started, processes)
    if overwrite and run is None:
        raise ConfigError("--overwrite replaces the run that --run names; pass --run too")
    training_options = dict(training or {})
    has_length = any(training_options.get(name) is not None for name in ("minutes", "epochs", "steps"))
    default_length: dict[str, Any] = {} if has_length else dict(DEFAULT_LENGTH)
    config = TrainConfig.from_json(default_length | training_options)
    if config.prior_memory is None:  # kept in the run, which can then be continued on another machine
        config = replace(config, prior_memory=processes.from_first(lambda: default_memory(machine_memory())))
    options: dict[str, Any] = dict(model or {})
    _set_threads(config, processes)
    sources = find_sources(text, progress=callbacks.progress, encoding=(corpus or {}).get("encoding", "utf-8"))
    named = None if "splits" in (corpus or {}) else sources.named  # splits that are given replace the official ones
    held_out = HeldOutTexts(valid, test).or_official(named)
    text_config = corpus_config(sources, corpus or {}, default_splits=held_out.default_splits)
    check_splits(text_config.splits, valid=held_out.valid is not None, test=held_out.test is not None)
    held_out_arguments = held_out.arguments()
    start_model = None if init_from in (AUTO, NONE) else load_start_model(init_from)
    if start_model is not None and tokenizer is not None:
        raise ConfigError("--init-from brings its own tokenizer; leave out the tokenizer options")
    if text_config.is_pairs:  # what followed the end of another source misleads (docs/notes/decisions.md)
        options.setdefault("ngram_order", 0)
    check_model_options(options, start_model)
    folder = RunFolder(
        Path(processes.from_first(lambda: str(find_run(str(run)) if run is not None else new_run(sources.name))))
    )
    if processes.is_first:
        folder.require_room(overwrite=overwrite)
    for path in sources.paths():
        if path in [file.resolve() for file in folder.files]:
            raise ConfigError(f"the run {folder.path} would replace its own text {path}; copy the text first")
    tokenizer = tokenizer or TokenizerConfig()
    with processes.one_per_machine_first():
        dataset = make_dataset(
            read_corpus(sources, text_config, progress=callbacks.progress),
            tokenizer_of_run(start_model, tokenizer),
            progress=callbacks.progress,
        )
        dataset = with_valid_text(dataset, held_out_arguments["valid"], progress=callbacks.progress)
    require_same_texts(dataset, processes)
    if start_model is not None and not knows_the_script(start_model, dataset):
        warn_about_script(start_model, dataset)
        start_model = None
    if auto and init_from == AUTO and not text_config.is_pairs:
        reason = processes.from_first(partial(reason_for_base, dataset, tokenizer, options))
        start_model = None if reason is None else load_base(reason)
    settings = None
    if auto:
        settings = autotuned(
            dataset,
            options,
            start_model,
            config,
            training_options,
            seconds=time.monotonic() - started,
            processes=processes,
        )
        options, config = settings.model | options, replace(config, **settings.training)
    require_rows(dataset, config, processes)
    state = first_state(
        dataset, options, start_model, config, started=started, processes=processes, progress=callbacks.progress
    )
    resolved = _RESOLVED if start_model is None else (*_RESOLVED, *SHAPE)
    options |= {name: getattr(state.model.config, name) for name in resolved}
    if settings is not None:
        callbacks.on_settings(settings)
        check = PassesCheck(settings, dataset, state.model.config, callbacks.on_event)
        callbacks = replace(callbacks, on_event=check)
    run_config = RunConfig(
        text=sources.arguments,
        **held_out_arguments,
        corpus=text_config,
        tokenizer=tokenizer if start_model is None else None,
        model=options,
        training=config,
        init_from=None if start_model is None else str(start_model.path.resolve()),
    )
    with folder.begun(run_config, overwrite=overwrite) if processes.is_first else nullcontext():
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
    started: float | None = None,
    processes: Processes | None = None,
) -> Trained:
    """Like `resume`, with the new length in `lengths`; returns the result of the run instead of the model.

    `started` is the `time.monotonic()` from which the minutes of this session count; None is the time of the call.
    `processes` are as in `train_run`; there may be more or fewer than before.
    """
    callbacks, processes = callbacks or Callbacks(), processes or Processes()
    started = common_start(started, processes)
    folder = RunFolder(find_run(str(run)))
    with folder.reopened() if processes.is_first else nullcontext() as opened:
        run_config = saved_config = RunConfig.from_json(
            processes.from_first(lambda: {} if opened is None else opened.to_json())
        )
        if text is not None:
            run_config = replace(run_config, text=find_sources(text, progress=callbacks.progress).arguments)
        changes: dict[str, Any] = {"minutes": None, "epochs": None, "steps": None} | dict(lengths) if lengths else {}
        for name, value in (("learning_rate", learning_rate), ("clip", clip)):
            if value is not None:
                changes[name] = value
        training = TrainConfig.from_json(run_config.training.to_json() | changes)
        run_config = replace(run_config, training=training)
        config = run_config.training
        _set_threads(config, processes)
        saved = processes.from_first(folder.can_continue)
        if (lost := missing_text(run_config.text)) is not None:
            raise CorpusError(
                f"the text {lost} of run {folder.path} is missing; move it back, or name its new place: charlm train "
                f"NEWPLACE --resume --run {shlex.quote(str(run))}"
            )
        with processes.one_per_machine_first():
            corpus = open_corpus(run_config.text, run_config.corpus, progress=callbacks.progress)
        if saved:
            state, checkpoint, log_sizes = restore(folder, config, pick_device(config.device), started, processes)
            processes.require_same({"resume file": [state.step, state.tokens]})
            if checkpoint.corpus is None or corpus.sha256 != checkpoint.corpus.sha256:
                raise CorpusError(
                    f"the text {corpus.name} is not the one this run began with; --resume needs the same text"
                )
            labels = checkpoint.model.config.labels
            dataset = make_dataset(corpus, checkpoint.tokenizer, labels=labels, progress=callbacks.progress)
            dataset = with_valid_text(dataset, run_config.valid, progress=callbacks.progress)
            own, facts = dataset.held_out.get("valid"), checkpoint.corpus.valid
            if own is not None and facts is not None and own.sha256 != facts.sha256:
                raise CorpusError(f"the validation text {own.name} has changed; --resume needs the same text")
            refit_prior(state, dataset, folder, memory=config.prior_memory, progress=callbacks.progress)
            if state.best_step > 0 and not processes.from_first(folder.model.exists):
                logger.warning("%s is missing; the next validation saves a new model", folder.model)
                state.forget_best()
        else:  # the run stopped before it saved anything
            start_model = load_start_model(run_config.init_from)
            own_tokenizer = tokenizer_of_run(start_model, run_config.tokenizer)
            dataset = make_dataset(corpus, own_tokenizer, progress=callbacks.progress)
            dataset = with_valid_text(dataset, run_config.valid, progress=callbacks.progress)
            options, log_sizes = run_config.model, (0, 0)
            state = first_state(
                dataset, options, start_model, config, started=started, processes=processes, progress=callbacks.progress
            )
        require_same_texts(dataset, processes)
        require_rows(dataset, config, processes)
        if run_config.text != saved_config.text and processes.is_first:  # also of a run that is finished
            folder.write_config(replace(saved_config, text=run_config.text))
            logger.warning("the text of run %s is now %s", folder.path, ", ".join(run_config.text))
        if state.step > 0 and is_complete(folder, state, dataset):
            require_rest(state, config, dataset.train, folder.path)
        if run_config != saved_config and processes.is_first:
            folder.write_config(run_config)
        return _fit(folder, state, dataset, config, callbacks, log_sizes)


def _with_lengths(
    training: TrainOptions | None, minutes: float | None, epochs: float | None, steps: int | None
) -> TrainOptions:
    lengths = {"minutes": minutes, "epochs": epochs, "steps": steps}
    given = {name: length for name, length in lengths.items() if length is not None}
    return cast(TrainOptions, dict(training or {}) | given)


def _set_threads(config: TrainConfig, processes: Processes) -> None:
    """Set the number of threads, and the GPU of each process; raises `ConfigError` for a device that is not
    available."""
    processes.use(pick_device(config.device))
    if config.threads is not None:
        torch.set_num_threads(config.threads)


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
        on_event=callbacks.on_event,
        should_stop=callbacks.should_stop,
    )
    return Trained(run=folder.path, outcome=outcome, dataset=dataset)

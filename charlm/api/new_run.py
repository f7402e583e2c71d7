"""Train a model in a new run."""

import os
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack, cast

from charlm.api.agreement import common_start, require_rows
from charlm.api.callbacks import Callbacks, Trained
from charlm.api.fitting import fit_run, set_threads, with_lengths
from charlm.api.run_texts import RunTexts, find_texts, read_dataset
from charlm.config import (
    SHAPE_OPTIONS,
    CorpusOptions,
    ModelConfig,
    ModelOptions,
    RunConfig,
    RunSettings,
    TokenizerConfig,
    TrainConfig,
    TrainOptions,
)
from charlm.config.names import divide_settings
from charlm.data.dataset import Dataset
from charlm.data.sources import FoundText, TextLike
from charlm.errors import ConfigError
from charlm.loading import load
from charlm.model.additions.ngram_prior import default_memory
from charlm.model.memory import machine_memory, naming_memory_errors
from charlm.processes.distributed import joined
from charlm.processes.processes import Processes
from charlm.storage.runs import RunFolder, find_run, new_run
from charlm.text_model import TextModel
from charlm.training.start.base import AUTO, NONE, load_base, reason_for_base
from charlm.training.start.fine_tuning import (
    StartModel,
    knows_the_script,
    load_start_model,
    tokenizer_of_run,
    warn_about_script,
)
from charlm.training.start.first_state import first_state
from charlm.training.start.model_config import check_model_options
from charlm.training.start.plan import RunPlan, auto_selected, with_device
from charlm.training.warnings import PassesCheck

DEFAULT_LENGTH: TrainOptions = {"minutes": 5.0, "epochs": 20.0}
"""The default length of a run; it ends at the limit that it reaches first."""
_RESOLVED = ("num_layers", "hidden_size", "embedding_size", "tie_weights", "ngram_order")
"""Fields of `ModelConfig` whose defaults depend on the text; a run's configuration stores the values that were used."""


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
    options = with_lengths(cast(TrainOptions, {**(training or {}), **own_training}), minutes, epochs, steps)
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


@naming_memory_errors()
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
    training_options, model_options = dict(training or {}), dict[str, Any](model or {})
    config = _train_config(training_options, processes)
    set_threads(config, processes)
    texts = find_texts(text, corpus or {}, valid=valid, test=test, progress=callbacks.progress)
    start_model = _named_start_model(init_from, tokenizer)
    if texts.config.is_pairs:  # what followed the end of another source misleads (docs/notes/decisions.md)
        model_options.setdefault("ngram_order", 0)
    check_model_options(model_options, start_model)
    folder = _free_folder(run, texts.found, processes, overwrite=overwrite)
    tokenizer = tokenizer or TokenizerConfig()
    dataset = read_dataset(texts, tokenizer_of_run(start_model, tokenizer), processes, callbacks.progress)
    if auto and init_from == AUTO and not texts.config.is_pairs:
        start_model = _base_for(dataset, tokenizer, model_options, processes)
    elif start_model is not None:
        start_model = _if_it_fits(start_model, dataset)
    plan = RunPlan(
        dataset=dataset,
        model=model_options,
        training=config,
        given=training_options.keys(),
        start_model=start_model,
        processes=processes,
    )
    plan = with_device(plan)
    settings = auto_selected(plan, seconds=time.monotonic() - started) if auto else None
    if settings is not None:
        plan = plan.with_settings(settings)
    require_rows(dataset, plan.training, processes)
    state = first_state(plan, started=started, progress=callbacks.progress)
    if settings is not None:
        callbacks.on_settings(settings)
        callbacks = replace(callbacks, on_event=PassesCheck(settings, callbacks.on_event))
    run_config = _run_config(texts, tokenizer, plan, state.model.config)
    with folder.begun(run_config, overwrite=overwrite) if processes.is_first else nullcontext():
        return fit_run(folder, state, dataset, plan.training, callbacks)


def _train_config(options: dict[str, Any], processes: Processes) -> TrainConfig:
    """The settings of training, with the default length if `options` have none."""
    has_length = any(options.get(name) is not None for name in ("minutes", "epochs", "steps"))
    default_length: dict[str, Any] = {} if has_length else dict(DEFAULT_LENGTH)
    config = TrainConfig.from_json(default_length | options)
    if config.prior_memory is None:  # kept in the run, which can then be continued on another machine
        config = replace(config, prior_memory=processes.from_first(lambda: default_memory(machine_memory())))
    return config


def _named_start_model(init_from: str | Path | None, tokenizer: TokenizerConfig | None) -> StartModel | None:
    """The model that `init_from` names; None for "auto" and "none"."""
    start_model = None if init_from in (AUTO, NONE) else load_start_model(init_from)
    if start_model is not None and tokenizer is not None:
        raise ConfigError("--init-from brings its own tokenizer; leave out the tokenizer options")
    return start_model


def _free_folder(run: str | Path | None, sources: FoundText, processes: Processes, *, overwrite: bool) -> RunFolder:
    """The folder of a new run; raises `RunError` if it has a run, and `ConfigError` if it has the text."""
    folder = RunFolder(
        Path(processes.from_first(lambda: str(find_run(str(run)) if run is not None else new_run(sources.name))))
    )
    if processes.is_first:
        folder.require_room(overwrite=overwrite)
    for path in sources.paths():
        if str(path) in map(os.path.realpath, folder.files):
            raise ConfigError(f"the run {folder.path} would replace its own text {path}; copy the text first")
    return folder


def _if_it_fits(start_model: StartModel, dataset: Dataset) -> StartModel | None:
    """The model to start from; None, with a warning, if it doesn't know the script of the text."""
    if knows_the_script(start_model, dataset):
        return start_model
    warn_about_script(start_model, dataset)
    return None


def _base_for(
    dataset: Dataset, tokenizer: TokenizerConfig, model_options: dict[str, Any], processes: Processes
) -> StartModel | None:
    """The bundled model of English to start from; None if a new model is better."""
    reason = processes.from_first(partial(reason_for_base, dataset, tokenizer, model_options))
    return None if reason is None else load_base(reason)


def _run_config(texts: RunTexts, tokenizer: TokenizerConfig, plan: RunPlan, network: ModelConfig) -> RunConfig:
    """The configuration to save in the run folder.

    Of the model it keeps what is given or auto-selected, and the values of `network` that depend on the text or on the
    model to start from.
    """
    start_model = plan.start_model
    resolved = _RESOLVED if start_model is None else (*_RESOLVED, *SHAPE_OPTIONS)
    return RunConfig(
        text=texts.found.arguments,
        valid=texts.valid,
        test=texts.test,
        corpus=texts.config,
        tokenizer=tokenizer if start_model is None else None,
        model={**plan.model, **{name: getattr(network, name) for name in resolved}},
        training=plan.training,
        init_from=None if start_model is None else str(start_model.path.resolve()),
    )

"""Continue a run from where it was last saved."""

import logging
import shlex
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from charlm.api.agreement import common_start, require_rows, require_same_texts
from charlm.api.callbacks import Callbacks, Trained
from charlm.api.fitting import fit_run, set_threads, with_lengths, with_valid_text
from charlm.config import (
    Device,
    RunConfig,
    TrainConfig,
    TrainOptions,
)
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, make_dataset
from charlm.data.sources import TextLike, find_sources, missing_text
from charlm.errors import CorpusError
from charlm.loading import load
from charlm.model.memory import naming_memory_errors
from charlm.processes.distributed import joined
from charlm.processes.processes import Processes
from charlm.progress import Progress
from charlm.storage.runs import RunFolder, find_run
from charlm.text_model import TextModel
from charlm.training.saved_state import refit_prior, restore
from charlm.training.schedule import require_rest
from charlm.training.start.fine_tuning import (
    load_start_model,
    tokenizer_of_run,
)
from charlm.training.start.first_state import first_state
from charlm.training.start.plan import RunPlan, with_device
from charlm.training.state import TrainingState
from charlm.training.validation import is_complete

logger = logging.getLogger(__name__)


def resume(
    run: str | Path,
    *,
    minutes: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    clip: float | None = None,
    device: Device | None = None,
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
        device: another device to continue on; None keeps that of the run.
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
            lengths=with_lengths(None, minutes, epochs, steps),
            learning_rate=learning_rate,
            clip=clip,
            device=device,
            callbacks=callbacks,
            processes=processes,
        )
    return load(trained.run)


@naming_memory_errors()
def resume_run(
    run: str | Path,
    *,
    text: TextLike | None = None,
    lengths: TrainOptions | None = None,
    learning_rate: float | None = None,
    clip: float | None = None,
    device: Device | None = None,
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
            encoding = run_config.corpus.encoding
            found = find_sources(text, progress=callbacks.progress, encoding=encoding)
            run_config = replace(run_config, text=found.arguments)
        changes = _changes(lengths, learning_rate=learning_rate, clip=clip, device=device)
        training = TrainConfig.from_json(run_config.training.to_json() | changes)
        run_config = replace(run_config, training=training)
        config = run_config.training
        set_threads(config, processes)
        saved = processes.from_first(folder.can_continue)
        _require_text(run_config, run, folder)
        with processes.one_per_machine_first():
            corpus = open_corpus(run_config.text, run_config.corpus, progress=callbacks.progress)
        log_sizes = (0, 0)
        if saved:
            state, dataset, log_sizes = _continue_saved(
                folder, run_config, corpus, started=started, processes=processes, progress=callbacks.progress
            )
        else:  # the run stopped before it saved anything
            state, dataset = _begin_again(
                run_config, corpus, started=started, processes=processes, progress=callbacks.progress
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
        return fit_run(folder, state, dataset, config, callbacks, log_sizes)


def _changes(lengths: TrainOptions | None, **settings: float | str | None) -> dict[str, Any]:
    """The settings of training that change; a new length of any kind replaces all limits that the run had."""
    changes: dict[str, Any] = {"minutes": None, "epochs": None, "steps": None} | dict(lengths) if lengths else {}
    return changes | {name: value for name, value in settings.items() if value is not None}


def _require_text(config: RunConfig, run: str | Path, folder: RunFolder) -> None:
    """Raise `CorpusError` if the text of a run, or its validation text, is missing; `run` is as the user named it."""
    if (lost := missing_text(config.text)) is not None:
        raise CorpusError(
            f"the text {lost} of run {folder.path} is missing; move it back, or name its new place: charlm train "
            f"NEWPLACE --resume --run {shlex.quote(str(run))}"
        )
    if config.valid is not None and (lost := missing_text(config.valid)) is not None:
        raise CorpusError(
            f"the validation text {lost} of run {folder.path} is missing; move it back, or start a new run with "
            f"`charlm train TEXT --valid FILE --init-from {shlex.quote(str(folder.path))}`"
        )


def _continue_saved(
    folder: RunFolder,
    run_config: RunConfig,
    corpus: Corpus,
    *,
    started: float,
    processes: Processes,
    progress: Progress,
) -> tuple[TrainingState, Dataset, tuple[int, int]]:
    """The saved state of a run, its text, and the bytes of its logs that belong to the state.

    Raises `CorpusError` if the text is not the one that the run began with.
    """
    config = run_config.training
    state, checkpoint, log_sizes = restore(folder, config, started, processes)
    processes.require_same({"resume file": [state.step, state.tokens]})
    if checkpoint.corpus is None or corpus.sha256 != checkpoint.corpus.sha256:
        raise CorpusError(
            f"the text {corpus.name} is not the one that this run began with; restore it, or start a new run with "
            f"`charlm train TEXT --init-from {shlex.quote(str(folder.path))}`"
        )
    labels = checkpoint.model.config.labels
    dataset = make_dataset(corpus, checkpoint.tokenizer, labels=labels, progress=progress)
    dataset = with_valid_text(dataset, run_config.valid, progress=progress)
    own, facts = dataset.held_out.get("valid"), checkpoint.corpus.valid
    if own is not None and facts is not None and own.sha256 != facts.sha256:
        raise CorpusError(
            f"the validation text {own.name} has changed since this run began; restore it, or start a new run with "
            f"`charlm train TEXT --valid FILE --init-from {shlex.quote(str(folder.path))}`"
        )
    refit_prior(state, dataset, folder, memory=config.prior_memory, progress=progress)
    if state.best_step > 0 and not processes.from_first(folder.model.exists):
        logger.warning("%s is missing; the next validation saves a new model", folder.model)
        state.forget_best()
    return state, dataset, log_sizes


def _begin_again(
    run_config: RunConfig, corpus: Corpus, *, started: float, processes: Processes, progress: Progress
) -> tuple[TrainingState, Dataset]:
    """The first state of a run that stopped before it saved anything, and its text."""
    start_model = load_start_model(run_config.init_from)
    own_tokenizer = tokenizer_of_run(start_model, run_config.tokenizer)
    dataset = make_dataset(corpus, own_tokenizer, progress=progress)
    dataset = with_valid_text(dataset, run_config.valid, progress=progress)
    config = run_config.training
    plan = with_device(
        RunPlan(
            dataset=dataset,
            model=run_config.model,
            training=config,
            given=config.to_json().keys(),
            start_model=start_model,
            processes=processes,
        )
    )
    return first_state(plan, started=started, progress=progress), dataset

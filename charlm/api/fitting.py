"""What a new run and a continued one have in common: the length, the threads, the validation text, and the training
itself."""

from typing import cast

import torch

from charlm.api.callbacks import Callbacks, Trained
from charlm.config import TrainConfig, TrainOptions
from charlm.data.corpus import open_corpus
from charlm.data.dataset import Dataset, unsplit
from charlm.errors import CharlmError
from charlm.evaluation.copying import warn_about_overlap
from charlm.model.device import pick_device
from charlm.model.memory import keep_memory
from charlm.processes.processes import Processes
from charlm.progress import Progress
from charlm.storage.runs import RunFolder
from charlm.training.start.gpu_budget import memory_of, out_of_memory
from charlm.training.state import TrainingState
from charlm.training.trainer import fit
from charlm.training.warnings import warn_about_run


def with_lengths(
    training: TrainOptions | None, minutes: float | None, epochs: float | None, steps: int | None
) -> TrainOptions:
    """Options of training with the lengths that are given."""
    lengths = {"minutes": minutes, "epochs": epochs, "steps": steps}
    given = {name: length for name, length in lengths.items() if length is not None}
    return cast(TrainOptions, dict(training or {}) | given)


def set_threads(config: TrainConfig, processes: Processes) -> None:
    """Set the number of threads, and the GPU of each process unless the device is "auto"; raises `ConfigError` for a
    device that is not available."""
    if config.device != "auto":
        processes.use(pick_device(config.device))
    if config.threads is not None:
        torch.set_num_threads(config.threads)


def with_valid_text(dataset: Dataset, arguments: tuple[str, ...] | None, *, progress: Progress) -> Dataset:
    """The dataset with a validation text of its own, if there is one; warns if it overlaps the training text."""
    if arguments is None:
        return dataset
    corpus = open_corpus(arguments, unsplit(dataset.corpus.config), progress=progress)
    warn_about_overlap(dataset.corpus, corpus, "validation")
    return dataset.with_held_out({"valid": corpus}, progress=progress)


def fit_run(
    folder: RunFolder,
    state: TrainingState,
    dataset: Dataset,
    config: TrainConfig,
    callbacks: Callbacks,
    log_sizes: tuple[int, int] = (0, 0),
) -> Trained:
    """Train until the run has its length, or is stopped; `log_sizes` are those that `restore` returns.

    Raises `CharlmError` if a GPU runs out of memory.
    """
    keep_memory()
    warn_about_run(dataset, state.model, config)
    callbacks.on_start(folder, dataset, state.model, config)
    try:
        outcome = fit(
            folder,
            state,
            dataset,
            config,
            log_sizes=log_sizes,
            on_event=callbacks.on_event,
            should_stop=callbacks.should_stop,
        )
    except torch.OutOfMemoryError:  # of a GPU
        memory = memory_of(state.model.output_bias.device)
        raise CharlmError(out_of_memory(state.model.config, config, memory)) from None
    return Trained(run=folder.path, outcome=outcome, dataset=dataset)

"""What a run starts from: the configuration of its model, auto-selected settings, and the state at the first step."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from charlm.cells import find_cell
from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN_SIZE,
    MIN_VOCAB_SIZE,
    ModelConfig,
    TrainConfig,
    default_embedding,
)
from charlm.data.corpus import open_corpus
from charlm.data.dataset import Dataset, unsplit
from charlm.errors import ConfigError, RunError
from charlm.evaluation.overlap import warn_about_overlap
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.ngram_prior import default_order, fit_prior
from charlm.progress import Progress
from charlm.storage.checkpoint import load
from charlm.storage.runs import RunFolder, find_model
from charlm.tokenizers import Tokenizer
from charlm.training.autotune import AutotunedSettings, autotune
from charlm.training.state import TrainingState, begin


@dataclass(frozen=True, kw_only=True, slots=True)
class StartModel:
    """The model of --init-from, whose weights, tokenizer and configuration a run starts with."""

    path: Path
    model: LanguageModel
    tokenizer: Tokenizer


def load_start_model(name: str | Path | None) -> StartModel | None:
    """Load a model to start from, by its file, run folder or name of the run; None if `name` is None.

    Raises `RunError` if there is none, and `ModelFileError` for a file that is damaged or not a charlm model.
    """
    if name is None:
        return None
    path = find_model(str(name))
    checkpoint = load(path)
    return StartModel(path=path, model=checkpoint.model, tokenizer=checkpoint.tokenizer)


def with_valid_text(dataset: Dataset, arguments: tuple[str, ...] | None, *, progress: Progress) -> Dataset:
    """The dataset with a validation text of its own, if there is one; warns if it overlaps the training text."""
    if arguments is None:
        return dataset
    corpus = open_corpus(arguments, unsplit(dataset.corpus.config), progress=progress)
    warn_about_overlap(dataset.corpus, corpus, "validation")
    return dataset.with_held_out({"valid": corpus}, progress=progress)


def check_model_options(options: Mapping[str, Any], start_model: StartModel | None) -> None:
    """Raise `ConfigError` for a wrong option of the model, before a long text is read for its vocabulary."""
    _model_config(options, start_model, MIN_VOCAB_SIZE)


def _model_config(options: Mapping[str, Any], start_model: StartModel | None, vocab_size: int) -> ModelConfig:
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
        options |= default_embedding(vocab_size, hidden_size, tie_weights=options.get("tie_weights"))
    options.setdefault("ngram_order", default_order(vocab_size))
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def autotuned(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: StartModel | None,
    config: TrainConfig,
    training_options: Mapping[str, Any],
    *,
    seconds: float,
) -> AutotunedSettings:
    """Settings selected from the text and the length of the run, without those that are given or fixed by a model.

    Args:
        dataset: the dataset to train on.
        options: the fields of `ModelConfig` that the user has given.
        start_model: the model to start from; None for a new one.
        config: the length of the run, and the values of `training_options`.
        training_options: the fields of `TrainConfig` that the user has given.
        seconds: how much of the time has passed already.
    """
    if start_model is not None:
        hidden_size = start_model.model.config.hidden_size
    else:
        hidden_size = options.get("hidden_size", options.get("embedding_size") if options.get("tie_weights") else None)
    cell = options.get("cell", DEFAULT_CELL)
    order = options.get("ngram_order", default_order(dataset.tokenizer.vocab_size))
    settings = autotune(
        dataset, config, training_options, seconds=seconds, hidden_size=hidden_size, cell=cell, ngram_order=order
    )
    fixed = options if start_model is None else settings.model
    return settings.without({*fixed, *training_options})


def first_state(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: StartModel | None,
    config: TrainConfig,
    *,
    started: float,
    progress: Progress,
) -> TrainingState:
    """The state before the first step, with newly drawn weights or those of the model to start from.

    Args:
        dataset: the dataset to train on.
        options: the fields of `ModelConfig` that are given or auto-selected.
        start_model: the model to start from; None for a new one.
        config: the settings of training.
        started: as in `TrainingState`.
        progress: called with the progress of counting n-grams.

    Raises `ConfigError` for an option that contradicts the model to start from.
    """
    model_config = _model_config(options, start_model, dataset.tokenizer.vocab_size)
    if start_model is not None:
        model = start_model.model
    else:
        model = LanguageModel(model_config)
        generator = torch.Generator().manual_seed(config.seed)
        model.initialise(generator, zero_tokens=dataset.tokenizer.never_written)
    if model_config.ngram_order:
        model.build_on(*fit_prior(dataset.train, dataset.tokenizer, model_config.ngram_order, progress=progress))
    return begin(model, config, pick_device(config.device), started)


def refit_prior(state: TrainingState, dataset: Dataset, folder: RunFolder, *, progress: Progress) -> None:
    """Fit the n-gram prior of a resumed model again; raises `RunError` if it has other n-grams than before."""
    prior = state.model.prior
    if prior is None:
        return
    before = prior.ngram
    ngram, cross_fit = fit_prior(dataset.train, dataset.tokenizer, prior.order, progress=progress)
    if before is None or not ngram.same_nodes(before):
        raise RunError(
            f"run {folder.path} was made by a version of charlm that counts n-grams differently; start a new run with "
            f"--init-from {folder.model}"
        )
    prior.ngram, prior.cross_fit = ngram, cross_fit
    if state.average.prior is not None:
        state.average.prior.ngram = ngram

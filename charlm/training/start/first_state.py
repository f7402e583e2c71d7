"""What a run starts from: the configuration of its model, auto-selected settings, and the state at the first step."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from charlm.cells import find_cell
from charlm.config import (
    DEFAULT_NETWORK,
    DEFAULT_SHAPES,
    LEAST_ORDER_OF_CONTEXTS,
    MIN_VOCAB_SIZE,
    SHAPE_OPTIONS,
    ModelConfig,
    TrainConfig,
    check_choice,
    check_network_options,
    default_embedding,
    without_additions,
)
from charlm.data.corpus import open_corpus
from charlm.data.dataset import Dataset, unsplit
from charlm.errors import ConfigError, RunError
from charlm.evaluation.copying import warn_about_overlap
from charlm.evaluation.spans.label_ngrams import fit_label_ngrams
from charlm.model.additions.ngram_prior import default_order, fit_prior
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes
from charlm.progress import Progress
from charlm.storage.runs import RunFolder
from charlm.training.start.autotune import autotune
from charlm.training.start.batch import sequences_per_step
from charlm.training.start.fastest_device import fastest_device
from charlm.training.start.fine_tuning import StartModel, inherit, inherit_vectors, inherits_prior
from charlm.training.start.order_weights import fit_order_weights
from charlm.training.start.settings import AutotunedSettings
from charlm.training.state import TrainingState, begin


def with_valid_text(dataset: Dataset, arguments: tuple[str, ...] | None, *, progress: Progress) -> Dataset:
    """The dataset with a validation text of its own, if there is one; warns if it overlaps the training text."""
    if arguments is None:
        return dataset
    corpus = open_corpus(arguments, unsplit(dataset.corpus.config), progress=progress)
    warn_about_overlap(dataset.corpus, corpus, "validation")
    return dataset.with_held_out({"valid": corpus}, progress=progress)


def check_model_options(options: Mapping[str, Any], start_model: StartModel | None) -> None:
    """Raise `ConfigError` for a wrong option of the model, before a long text is read for its vocabulary."""
    network = _with_start_model(options, start_model).get("network", DEFAULT_NETWORK)
    check_choice("--network", network, tuple(DEFAULT_SHAPES))
    check_network_options(network, [name for name, value in options.items() if value is not None])
    _model_config(options, start_model, MIN_VOCAB_SIZE)


def _model_config(options: Mapping[str, Any], start_model: StartModel | None, vocab_size: int) -> ModelConfig:
    """The configuration of the model; raises `ConfigError` for an option that contradicts the model to start from."""
    options = _with_start_model(options, start_model)
    if "cell" in options:
        find_cell(options["cell"])
    options = DEFAULT_SHAPES[options.get("network", DEFAULT_NETWORK)] | options
    if options.get("embedding_size") is None:
        options |= default_embedding(vocab_size, options["hidden_size"], tie_weights=options.get("tie_weights"))
    options.setdefault("ngram_order", default_order(vocab_size))
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def _with_start_model(options: Mapping[str, Any], start_model: StartModel | None) -> dict[str, Any]:
    """The options, and for those that are missing the values of the model to start from.

    A model without an n-gram prior can get one, and its vocabulary and labels are those of the new text.
    """
    if start_model is None:
        return dict(options)
    given = {name: value for name, value in options.items() if value is not None}
    values = start_model.model.config.to_json()
    del values["vocab_size"], values["labels"]
    if not values["ngram_order"]:
        del values["ngram_order"]
    for name in SHAPE_OPTIONS:
        if given.get(name, values[name]) != values[name]:
            raise ConfigError(
                f"--init-from {start_model.path} has {name} {values[name]!r}, not {given[name]!r}; leave the option out"
            )
    if given.get("ngram_order", values.get("ngram_order", LEAST_ORDER_OF_CONTEXTS)) < LEAST_ORDER_OF_CONTEXTS:
        del values["context_vectors"]  # the n-grams that they stand for are left out
    return values | given


def with_device(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: StartModel | None,
    config: TrainConfig,
    training_options: Mapping[str, Any],
    *,
    processes: Processes,
) -> TrainConfig:
    """The settings with the faster device instead of "auto", and each process on its GPU; arguments as in `autotuned`.

    Raises `ConfigError` for a device that is not available.
    """
    if config.device == "auto":
        network = without_additions(_model_config(options, start_model, dataset.tokenizer.vocab_size))
        timed = config
        if "batch_size" not in training_options:
            facts = dataset.train.facts
            rows = sequences_per_step(
                config, tokens=facts.tokens, documents=facts.documents, vocab_size=network.vocab_size
            )
            timed = replace(config, batch_size=rows)
        config = replace(config, device=fastest_device(network, timed, processes))
    processes.use(pick_device(config.device))
    return config


def autotuned(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: StartModel | None,
    config: TrainConfig,
    training_options: Mapping[str, Any],
    *,
    seconds: float,
    processes: Processes,
) -> AutotunedSettings:
    """Settings selected from the text and the length of the run, without those that are given or fixed by a model.

    Args:
        dataset: the dataset to train on.
        options: the fields of `ModelConfig` that the user has given.
        start_model: the model to start from; None for a new one.
        config: the length of the run, and the values of `training_options`.
        training_options: the fields of `TrainConfig` that the user has given.
        seconds: how much of the time has passed already.
        processes: the processes that train together; the first decides. Each keeps the number of threads that it has.
    """
    if processes.size > 1:
        config = replace(config, threads=torch.get_num_threads())
    known = _with_start_model(options, start_model)
    settings = autotune(
        dataset,
        config,
        training_options,
        seconds=seconds,
        network=without_additions(_model_config(options, start_model, dataset.tokenizer.vocab_size)),
        is_width_given=known.get("hidden_size") is not None,
        ngram_order=known.get("ngram_order", default_order(dataset.tokenizer.vocab_size)),
        match=known.get("match"),
        fine_tuning=start_model is not None,
        processes=processes.size,
    )
    if options.get("match") is not None:
        settings.model["recent"] = options["match"]  # recent contexts go with a match that is given, too
    if start_model is not None and start_model.reason is not None:
        settings = replace(settings, reasons={"init_from": start_model.reason} | settings.reasons)
    if processes.size > 1:
        settings = AutotunedSettings.from_json(processes.from_first(settings.without({"threads"}).to_json))
    return settings.without({*options, *training_options})


def first_state(
    dataset: Dataset,
    options: Mapping[str, Any],
    start_model: StartModel | None,
    config: TrainConfig,
    *,
    started: float,
    processes: Processes,
    progress: Progress,
) -> TrainingState:
    """The state before the first step, with newly drawn weights or those of the model to start from.

    Args:
        dataset: the dataset to train on.
        options: the fields of `ModelConfig` that are given or auto-selected.
        start_model: the model to start from; None for a new one.
        config: the settings of training.
        started: as in `TrainingState`.
        processes: the processes that train the model together.
        progress: called with the progress of counting n-grams.

    Raises `ConfigError` for an option that contradicts the model to start from.
    """
    labels = [label.to_json() for label in dataset.labels]
    model_config = _model_config({**options, "labels": labels}, start_model, dataset.tokenizer.vocab_size)
    if model_config.match and config.softmax_samples:
        raise ConfigError(
            f"--match needs the logits of all tokens, but --softmax-samples is {config.softmax_samples}; leave one out"
        )
    model = LanguageModel(model_config)
    generator = torch.Generator().manual_seed(config.seed)
    model.initialise(generator, zero_tokens=dataset.tokenizer.never_written)
    if start_model is not None:
        inherit(model, start_model, dataset)
    if model_config.ngram_order:
        prior = fit_prior(
            dataset.train,
            dataset.tokenizer,
            model_config.ngram_order,
            memory=config.prior_memory,
            progress=progress,
        )
        model.build_on(*prior)
        if model.labels is not None and dataset.train.targets is None:
            values = len(model_config.label_values)
            model.label_ngrams = fit_label_ngrams(dataset.train, dataset.tokenizer, values, memory=config.prior_memory)
        if start_model is not None:
            inherit_vectors(model, start_model, dataset.tokenizer)
            if not inherits_prior(model, start_model):
                fit_order_weights(model, dataset.train)
    state = begin(model, config, pick_device(config.device), started, processes)
    state.began_with = None if start_model is None else start_model.facts
    return state


def refit_prior(
    state: TrainingState, dataset: Dataset, folder: RunFolder, *, memory: int | None, progress: Progress
) -> None:
    """Fit the n-gram prior of a resumed model again, in the memory that it was fitted in.

    Raises `RunError` if it has other n-grams than before.
    """
    prior = state.model.prior
    if prior is None:
        return
    before = prior.ngram
    ngram, cross_fit = fit_prior(dataset.train, dataset.tokenizer, prior.order, memory=memory, progress=progress)
    if before is None or not ngram.same_nodes(before):
        raise RunError(
            f"run {folder.path} was made by a version of charlm that counts n-grams differently; start a new run with "
            f"--init-from {folder.model}"
        )
    prior.ngram, prior.cross_fit = ngram, cross_fit
    if state.average.prior is not None:
        state.average.prior.ngram = ngram

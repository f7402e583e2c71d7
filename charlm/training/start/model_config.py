"""The configuration of a run's model, from the options that the user gave and the model that the run starts from."""

from collections.abc import Mapping
from typing import Any

from charlm.cells import find_cell
from charlm.config import (
    DEFAULT_NETWORK,
    DEFAULT_SHAPES,
    LEAST_ORDER_OF_CONTEXTS,
    MIN_VOCAB_SIZE,
    SHAPE_OPTIONS,
    ModelConfig,
    check_choice,
    check_network_options,
    default_embedding,
    option_of,
)
from charlm.errors import ConfigError
from charlm.model.additions.ngram_prior import default_order
from charlm.training.start.fine_tuning import StartModel


def check_model_options(options: Mapping[str, Any], start_model: StartModel | None) -> None:
    """Raise `ConfigError` for a wrong option of the model, before a long text is read for its vocabulary."""
    network = with_start_model(options, start_model).get("network", DEFAULT_NETWORK)
    check_choice("--network", network, tuple(DEFAULT_SHAPES))
    check_network_options(network, [name for name, value in options.items() if value is not None])
    model_config(options, start_model, MIN_VOCAB_SIZE)


def model_config(options: Mapping[str, Any], start_model: StartModel | None, vocab_size: int) -> ModelConfig:
    """The configuration of the model.

    Args:
        options: the fields of `ModelConfig` that are given or auto-selected.
        start_model: the model to start from; None for a new one.
        vocab_size: V.

    Raises `ConfigError` for a wrong option, and for one that contradicts the model to start from.
    """
    options = with_start_model(options, start_model)
    if "cell" in options:
        find_cell(options["cell"])
    options = DEFAULT_SHAPES[options.get("network", DEFAULT_NETWORK)] | options
    if options.get("embedding_size") is None:
        options |= default_embedding(vocab_size, options["hidden_size"], tie_weights=options.get("tie_weights"))
    options.setdefault("ngram_order", default_order(vocab_size))
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def with_start_model(options: Mapping[str, Any], start_model: StartModel | None) -> dict[str, Any]:
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
                f"the model of --init-from, {start_model.path}, has {option_of(name, values[name])}; leave out "
                f"{option_of(name, given[name])}"
            )
    if given.get("ngram_order", values.get("ngram_order", LEAST_ORDER_OF_CONTEXTS)) < LEAST_ORDER_OF_CONTEXTS:
        del values["context_vectors"]  # the n-grams that they stand for are left out
    return values | given

"""The source of a text that a model of pairs writes or reads, and who needs one."""

from collections.abc import Mapping
from pathlib import Path

from charlm.config import CorpusConfig, Unknown
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.tokenizers import Tokenizer


def after_source(
    model: LanguageModel, tokenizer: Tokenizer, config: CorpusConfig, source: str, unknown: Unknown = "error"
) -> LanguageModel:
    """The model to write or read the target of a source.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        config: how its text was read.
        source: the source.
        unknown: how to treat characters outside the vocabulary.

    Raises `ConfigError` for a model that was not trained on pairs, and for an empty source.
    """
    if not config.is_pairs:
        raise ConfigError(
            f"--source is {source[:40]!r}, but this model was not trained on pairs; leave it out, or train a "
            "model with --source-column and --target-column"
        )
    if not source:
        raise ConfigError(f"the source is empty; give a text like those of the column {config.source_column!r}")
    tokens = tokenizer.encode(tokenizer.equivalent(source), unknown=unknown)
    return model.after_source([*tokens.tolist(), tokenizer.eos])


def model_for(model: LanguageModel, tokenizer: Tokenizer, corpus: CorpusConfig, config: SampleConfig) -> LanguageModel:
    """The model to write a text with; raises `ConfigError` for a source that is missing, empty, or of no use."""
    if config.source is not None:
        return after_source(model, tokenizer, corpus, config.source, config.unknown)
    require_source(model, corpus)
    return model


def require_source(model: LanguageModel, config: CorpusConfig) -> None:
    """Raise `ConfigError` if a model of pairs has no source to write or read a target for."""
    if config.is_pairs and not model.source:
        raise ConfigError(
            f"this model writes the {config.target_column!r} of a {config.source_column!r}; give one with --source TEXT"
        )


def require_no_pairs(config: CorpusConfig, what: str, remedy: str) -> None:
    """Raise `ConfigError`, which names what needs a text, for a model of pairs."""
    if config.is_pairs:
        raise ConfigError(
            f"this model writes the {config.target_column!r} of a {config.source_column!r}, and {what} needs a model "
            f"of a text without sources; {remedy}"
        )


def require_models_alike(configs: Mapping[Path, CorpusConfig]) -> None:
    """Raise `ConfigError` if only some models, by their paths, are models of pairs."""
    (first, own), *others = configs.items()
    for path, other in others:
        if own.is_pairs != other.is_pairs:
            raise ConfigError(f"only one of {first} and {path} is a model of pairs; compare models alike")


def require_pairs_alike(own: CorpusConfig, other: CorpusConfig) -> None:
    """Raise `ConfigError` if a text is read as pairs and the model's own is not, or vice versa."""
    if own.is_pairs and not other.is_pairs:
        raise ConfigError(
            f"this model writes the {own.target_column!r} of a {own.source_column!r}; give a table with two such "
            "columns, and name them with --source-column and --target-column if they have other names"
        )
    if other.is_pairs and not own.is_pairs:
        raise ConfigError(
            "--source-column and --target-column need a model that was trained with them; use --text-column instead"
        )

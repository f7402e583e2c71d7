"""Models of pairs: targets that are written and scored, each given its source."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from charlm.config import CorpusConfig, Unknown
from charlm.data.dataset import TokenSplit
from charlm.data.documents import Part
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.generate import generate_many
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.base import Ids, encodable

_TOGETHER = 1024  # pairs that are encoded in one call


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactMatches:
    """How many targets greedy decoding writes exactly."""

    pairs: int
    """The targets that were tried."""
    exact: int
    """How many of them were written without any mistake."""

    @property
    def share(self) -> float:
        """The share of exact targets, 0 to 1."""
        return self.exact / self.pairs

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self) | {"share": self.share}


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
            f"--source is {source[:40]!r}, but this model was not trained on pairs; begin its text with --prefix, or "
            "train a model with --source-column and --target-column"
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


def parts_of_pairs(pairs: Iterable[tuple[str, str]], config: CorpusConfig) -> Iterator[tuple[str, Part]]:
    """Pairs of source and target as documents; lone surrogates become U+FFFD, and pairs of them characters.

    Raises `ConfigError` if the model, whose text is read as `config` says, is not one of pairs, and for an empty
    source.
    """
    if not config.is_pairs:
        raise ConfigError("this model was not trained on pairs; score texts with score_texts")
    pairs = iter(pairs)
    while together := [[encodable(text, "replace") for text in pair] for pair in islice(pairs, _TOGETHER)]:
        sources, targets = zip(*together, strict=True)
        if "" in sources:
            raise ConfigError("a source is empty; give each target a source")
        yield "", Part([*targets], True, (), sources)


def pairs_of(split: TokenSplit, most: int) -> Iterator[tuple[Ids, Ids]]:
    """Sources, with EOS, and targets, without, at most `most` from everywhere in a split; none without pairs."""
    if split.targets is None:
        return
    documents = len(split.targets)
    for index in np.linspace(0, documents - 1, min(most, documents)).round().astype(int).tolist():
        start, target, stop = int(split.starts[index]), int(split.targets[index]), int(split.starts[index + 1])
        yield split.read(start + 1, target), split.read(target, stop - 1)


def exact_matches(model: LanguageModel, tokenizer: Tokenizer, split: TokenSplit, *, most: int) -> ExactMatches:
    """How many of the targets of a split, at most `most` from everywhere in it, greedy decoding writes exactly.

    Raises `ConfigError` for a split without pairs.
    """
    pairs = exact = 0
    for source, target in pairs_of(split, most):
        text = tokenizer.decode(target)
        config = SampleConfig(temperature=0.0, length=len(text) + 1)  # more than the target is a mistake
        (written,) = generate_many(model.after_source(source.tolist()), tokenizer, seed=0, num=1, config=config)
        pairs += 1
        exact += written.text == text
    if not pairs:
        raise ConfigError("exact matches need a model of pairs; train one with --source-column and --target-column")
    return ExactMatches(pairs=pairs, exact=exact)

"""What every part of a text model has: the file, the weights, the tokenizer and the labels."""

from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Self

from charlm.config import CorpusConfig, Unknown
from charlm.errors import ConfigError
from charlm.model.additions.label_embedding import parse_labels
from charlm.model.language_model import LanguageModel
from charlm.sampling.pairs.source import after_source, require_no_pairs
from charlm.storage.checkpoint import Checkpoint
from charlm.storage.summary import summarise
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, repr=False)
class LoadedModel:
    """A model loaded from a file, in evaluation mode, with its tokenizer."""

    path: Path
    checkpoint: Checkpoint
    adapted_from: str | None = None
    """The SHA-256 of the weights before `adapt`, for which saved directions are valid; None if not adapted."""

    def __repr__(self) -> str:
        return "\n  ".join(summarise(self.path, self.checkpoint))

    def _repr_html_(self) -> str:
        first, *others = map(escape, summarise(self.path, self.checkpoint))
        return "<br>".join([f"<b>{first}</b>", *others])

    @property
    def model(self) -> LanguageModel:
        """The language model."""
        return self.checkpoint.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self.checkpoint.tokenizer

    @property
    def corpus_config(self) -> CorpusConfig:
        """How the model's own text was read and split."""
        return CorpusConfig() if self.checkpoint.corpus is None else self.checkpoint.corpus.config

    def with_labels(self, *labels: str) -> Self:
        """The same model for texts with these labels, such as "stars=5" or "author=Austen:0.5,Melville:0.5", whatever
        labels a text has; without arguments, for texts without labels.

        Raises `ConfigError` for a label that the model doesn't have.
        """
        if not self.model.config.labels and not labels:
            return self
        factors = parse_labels(labels, self.model.config.labels)
        return replace(self, checkpoint=replace(self.checkpoint, model=self.model.with_labels(factors)))

    def with_source(self, source: str, *, unknown: Unknown = "error") -> Self:
        """The same model to write, or read, the target of a source.

        `unknown` says how to treat characters outside the vocabulary. Raises `ConfigError` for a model that was not
        trained on pairs, and for an empty source.
        """
        model = after_source(self.model, self.tokenizer, self.corpus_config, source, unknown)
        return replace(self, checkpoint=replace(self.checkpoint, model=model))


def require_infill_models(forward: LoadedModel, backward: LoadedModel) -> None:
    """Raise `ConfigError` unless two models can fill a gap: they have the same tokens and read in these directions."""
    for model, wanted in ((forward, "forward"), (backward, "backward")):
        if model.corpus_config.direction != wanted:
            raise ConfigError(f"{model.path} reads {model.corpus_config.direction}; name a model that reads {wanted}")
        require_no_pairs(model.corpus_config, "charlm fill", "name another model")
    if forward.tokenizer.fingerprint() != backward.tokenizer.fingerprint():
        raise ConfigError(
            f"{forward.path} and {backward.path} have different tokens; train both on the same text with the same "
            "tokenizer"
        )


def require_forward(model: LoadedModel, what: str | None = None, *, pairs: bool = False) -> None:
    """Raise `ConfigError` for a model that reads from right to left, since it would write or read a text backwards.

    `what` is what needs the model, for the message. Unless it can use `pairs`, a model of pairs that has no source is
    refused too.
    """
    if what is not None and not pairs and not model.model.source:
        require_no_pairs(model.corpus_config, what, "name another model")
    if model.corpus_config.direction == "backward":
        remedy = "use it with `charlm fill`" if what is None else f"{what} needs a model that reads from left to right"
        raise ConfigError(f"{model.path} reads from right to left; {remedy}")

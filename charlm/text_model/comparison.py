"""Compare loaded models on a text: `charlm compare` from Python."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from charlm.config import CorpusOptions, SplitName
from charlm.data.sources import TextLike
from charlm.errors import ConfigError
from charlm.evaluation.comparison import Comparison, compare
from charlm.evaluation.score import perplexity
from charlm.progress import Progress, silent
from charlm.sampling.pairs.source import require_models_alike
from charlm.text_model.text_model import TextModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelScore:
    """The figures of one of several models on the same text."""

    model: str
    """The name of the model."""
    nats: float
    bits_per_character: float
    bits_per_word: float
    perplexity_per_word: float
    """exp(nats per word); infinite above exp(700)."""
    documents_won: int
    """Documents that it predicts best."""
    parameters: int
    file_bytes: int
    characters_per_second: float
    """Of scoring this text."""
    training_seconds: float | None
    """None if the file does not say."""
    difference: "GapToBest | None"
    """By how much it is worse than the best model; None for the best."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GapToBest:
    """How many more bits per character a model needs than the best.

    The intervals are 95% confidence intervals; they are infinite for a text that is too short to tell.
    """

    than: str
    """The name of the best model."""
    bits_per_character: float
    low: float
    """Lower end of the interval for other texts of the same kind and other seeds of the training."""
    high: float
    clear: bool
    """Whether that interval excludes 0."""
    text_low: float
    """Lower end of the interval for other texts of the same kind."""
    text_high: float
    clear_on_the_text: bool
    """Whether that interval excludes 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedModels:
    """Several models and their figures on the same text."""

    text: str
    """What was scored: the name of the text, and of its split if it is a part."""
    comparison: Comparison
    """The nats of each character."""
    scores: tuple[ModelScore, ...]
    """The figures of each model, in the order of the models."""

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "text": self.text,
            "characters": self.comparison.characters,
            "words": self.comparison.words,
            "documents": len(self.comparison.lengths),
            "models": [asdict(score) for score in self.scores],
        }


def compare_models(
    models: Sequence[TextModel],
    text: TextLike | None = None,
    *,
    names: Sequence[str] | None = None,
    split: SplitName | None = None,
    corpus: CorpusOptions | None = None,
    progress: Progress = silent,
) -> ComparedModels:
    """Score a text with several models.

    Args:
        models: the models; a warning names those that may have been trained on the text.
        text: files, folders or named corpora; None is the text of the first model.
        names: a name for each model; None are the paths.
        split: the split to score; None is the whole of `text`, or the held-out split of the first model's text.
        corpus: how to read the text; settings that are missing are those of the first model's training.
        progress: called with the progress of reading, encoding and scoring.

    Raises: as `TextModel.read`; `ConfigError` for a model that reads from right to left, and for models of pairs beside
    others.
    """
    _require_comparable(models)
    if text is None:
        if corpus:
            raise ConfigError("corpus says how to read a text; give a text, or leave out corpus")
        _warn_about_other_texts(models)
        split = split or models[0].held_out_split()
    names = [str(model.path) for model in models] if names is None else names
    dataset = models[0].read(text, split=split, corpus=corpus, progress=progress)
    read, scored = dataset.text_of(split or "train")
    networks = [(model.model, model.tokenizer) for model in models]
    comparison = compare(networks, read, scored, progress=progress)
    given = [text] if isinstance(text, str | Path) else text or []
    return ComparedModels(
        text=(" ".join(map(str, given)) or dataset.corpus.name) + (f", {split} split" if split else ""),
        comparison=comparison,
        scores=tuple(_scores(models, names, comparison)),
    )


def _require_comparable(models: Sequence[TextModel]) -> None:
    """Raise `ConfigError` for models that can't score the same text."""
    require_models_alike({model.path: model.corpus_config for model in models})
    for model in models:
        if model.corpus_config.direction == "backward":
            raise ConfigError(f"{model.path} reads from right to left; compare models that read from left to right")


def _warn_about_other_texts(models: Sequence[TextModel]) -> None:
    """Log a warning for each model that may have been trained on the held-out split of the first model's text."""
    first, *others = models
    for model in others:
        if _text_sha256(model) != _text_sha256(first):
            logger.warning("%s and %s were trained on different texts", model.path, first.path)
        elif model.corpus_config.splits != first.corpus_config.splits:
            logger.warning(
                "%s uses different splits from %s, so it may have been trained on the text being scored; give a TEXT "
                "that neither has seen",
                model.path,
                first.path,
            )


def _text_sha256(model: TextModel) -> str | None:
    """The SHA-256 of the text that a model was trained on; None if unknown."""
    return None if model.checkpoint.corpus is None else model.checkpoint.corpus.sha256


def _scores(models: Sequence[TextModel], names: Sequence[str], comparison: Comparison) -> Iterator[ModelScore]:
    """The figures of each model."""
    best, won = comparison.best, comparison.documents_won()
    for index, (model, name) in enumerate(zip(models, names, strict=True)):
        nats, training = float(comparison.nats[index].sum()), model.checkpoint.training
        yield ModelScore(
            model=name,
            nats=nats,
            bits_per_character=nats / comparison.characters / math.log(2),
            bits_per_word=nats / comparison.words / math.log(2),
            perplexity_per_word=perplexity(nats / comparison.words),
            documents_won=won[index],
            parameters=model.model.num_parameters(),
            file_bytes=model.path.stat().st_size,
            characters_per_second=comparison.characters / comparison.seconds[index],
            training_seconds=None if training is None else training.seconds,
            difference=None if index == best else _gap(comparison, index, names[best]),
        )


def _gap(comparison: Comparison, model: int, best: str) -> GapToBest:
    """By how much a model is worse than the best, whose name is given."""
    found, bit = comparison.difference(model, comparison.best), math.log(2)
    return GapToBest(
        than=best,
        bits_per_character=found.mean / bit,
        low=found.low / bit,
        high=found.high / bit,
        clear=found.is_clear,
        text_low=found.text_low / bit,
        text_high=found.text_high / bit,
        clear_on_the_text=found.is_clear_on_the_text,
    )

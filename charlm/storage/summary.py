"""A model file in three lines: where it is, its shape, and its training."""

from pathlib import Path

from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.storage.checkpoint import Checkpoint
from charlm.tokenizers import Tokenizer

_TOKENS = {"char": "characters", "byte": "bytes", "subword": "subwords", "word": "words"}


def summarise(path: Path, checkpoint: Checkpoint) -> tuple[str, str, str]:
    """Three lines about a model, for a person."""
    return f"model {path}", _shape(checkpoint.model, checkpoint.tokenizer), _training(checkpoint)


def _shape(model: LanguageModel, tokenizer: Tokenizer) -> str:
    config = model.config
    vocabulary = f"{tokenizer.vocab_size:,} {_TOKENS.get(tokenizer.kind, 'tokens')}"
    ngrams = f", n-grams up to {config.ngram_order}" if config.ngram_order else ""
    weights = count_of(model.num_parameters(), "parameter")
    return f"{config.layer_kind}, {config.num_layers} x {config.hidden_size}, {vocabulary}, {weights}{ngrams}"


def _training(checkpoint: Checkpoint) -> str:
    corpus, training = checkpoint.corpus, checkpoint.training
    if corpus is None:
        return "trained on an unknown text"
    text = f"trained on {corpus.name} ({count_of(corpus.characters, 'character')})"
    if training is None:
        return text
    minutes, seconds = divmod(round(training.seconds), 60)
    score = training.validation_nats_per_token
    validation = "" if score is None else f", validation {score:.4f} nats per token"
    return f"{text} for {minutes}:{seconds:02}{validation}"

"""From text to token ids and back: characters, bytes, subwords or words, each with BOS and EOS."""

from collections.abc import Iterable
from typing import Any

from charlm.config import TokenizerConfig
from charlm.errors import TokenizerError
from charlm.tokenizers.base import Tokenizer
from charlm.tokenizers.byte import ByteTokenizer
from charlm.tokenizers.char import CharTokenizer
from charlm.tokenizers.subword import SubwordTokenizer
from charlm.tokenizers.word import WordTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    "char": CharTokenizer,
    "byte": ByteTokenizer,
    "subword": SubwordTokenizer,
    "word": WordTokenizer,
}


def fit_tokenizer(texts: Iterable[str], characters: int, config: TokenizerConfig) -> Tokenizer:
    """Fit a tokenizer to a text, which is read once.

    Args:
        texts: the training split, in parts.
        characters: the length of all parts together.
        config: the kind of tokenizer, and its settings.

    Raises `TokenizerError` when the text doesn't suit the tokenizer.
    """
    return TOKENIZERS[config.kind].fit(texts, characters, config)


def tokenizer_from_json(values: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `to_json` wrote; raises `TokenizerError` for invalid values."""
    kind = values.get("kind") if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise TokenizerError(f"unknown tokenizer {kind!r}; it must be one of {', '.join(TOKENIZERS)}")
    return TOKENIZERS[kind].from_json(values)


__all__ = ["TOKENIZERS", "Tokenizer", "fit_tokenizer", "tokenizer_from_json"]

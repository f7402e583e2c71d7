"""Text to token ids and back: characters, bytes or subwords, each with BOS and EOS."""

from collections.abc import Iterable
from typing import Any

from charlm.config import TokenizerConfig
from charlm.errors import TokenizerError
from charlm.tokenizers.base import Tokenizer
from charlm.tokenizers.byte import ByteTokenizer
from charlm.tokenizers.char import CharTokenizer
from charlm.tokenizers.subword import SubwordTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    "char": CharTokenizer,
    "byte": ByteTokenizer,
    "subword": SubwordTokenizer,
}


def fit_tokenizer(texts: Iterable[str], characters: int, config: TokenizerConfig) -> Tokenizer:
    """A tokenizer for a text, which is read once, in pieces.

    Args:
        texts: the training split, piece by piece.
        characters: how many characters the pieces hold together.
        config: which tokenizer, and its settings.
    """
    return TOKENIZERS[config.kind].fit(texts, characters, config)


def tokenizer_from_json(values: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `to_json` wrote; raises `TokenizerError` when it can't be."""
    kind = values.get("kind") if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise TokenizerError(f"no tokenizer is called {kind!r}; charlm knows {', '.join(TOKENIZERS)}")
    return TOKENIZERS[kind].from_json(values)


__all__ = ["TOKENIZERS", "Tokenizer", "fit_tokenizer", "tokenizer_from_json"]

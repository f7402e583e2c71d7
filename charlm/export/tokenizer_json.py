"""A tokenizer as the JSON values from which `page/tokenizers.js` encodes and decodes."""

from typing import Any

import numpy as np

from charlm.tokenizers import Tokenizer
from charlm.tokenizers.subword import SubwordTokenizer


def tokenizer_values(tokenizer: Tokenizer) -> dict[str, Any]:
    """The kind, the special tokens, and the text of each token: a number for a single byte, null for none."""
    byte_tokens: list[int] = []
    if tokenizer.kind == "byte":
        byte_tokens = list(range(256))
    elif isinstance(tokenizer, SubwordTokenizer):
        byte_tokens = tokenizer.byte_tokens
    pieces: list[str | int | None] = []
    is_byte = set(byte_tokens)
    for token in range(tokenizer.vocab_size):
        data = tokenizer.token_bytes(token)
        pieces.append(data[0] if token in is_byte else data.decode() or None)
    return {
        "kind": tokenizer.kind,
        "bos": tokenizer.bos,
        "eos": tokenizer.eos,
        "unk": tokenizer.unk,
        "unseen": tokenizer.unseen_characters,
        "neverWritten": tokenizer.never_written,
        "pieces": pieces,
        "byteTokens": byte_tokens,
        "algorithm": _algorithm(tokenizer) if isinstance(tokenizer, SubwordTokenizer) else None,
    }


def _algorithm(tokenizer: SubwordTokenizer) -> str:
    """The algorithm of the subwords: byte-pair encoding scores its pieces by whole numbers, their ranks."""
    return "bpe" if np.all(tokenizer.scores == np.rint(tokenizer.scores)) else "unigram"

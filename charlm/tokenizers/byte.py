"""The bytes of UTF-8, a vocabulary for every text."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from charlm.config import TokenizerConfig, Unknown
from charlm.tokenizers.base import Ids, Tokenizer, encodable


class ByteTokenizer(Tokenizer):
    """Ids 0 to 255 are the bytes; BOS and EOS follow. Only lone surrogates are unknown."""

    kind = "byte"
    bos, eos, unk = 256, 257, None
    vocab_size = 258

    @classmethod
    def fit(cls, texts: Iterable[str], characters: int, config: TokenizerConfig) -> Self:
        """See `Tokenizer.fit`; the text is not read."""
        return cls()

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """See `Tokenizer.encode`."""
        return np.frombuffer(encodable(text, unknown).encode(), dtype=np.uint8).astype(np.int32)

    def token_bytes(self, token: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        return bytes((token,)) if token < 256 else b""

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """See `Tokenizer.from_json`."""
        return cls()

"""The bytes of UTF-8, a vocabulary for every text."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import TokenizerConfig, Unknown
from charlm.tokenizers.base import Ids, Tokenizer, encodable, lengths


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

    def encode_joined(self, texts: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """See `Tokenizer.encode_joined`; one conversion for all texts."""
        ids = self.encode("".join(texts), unknown="replace")
        first_bytes = np.flatnonzero(ids & 0xC0 != 0x80)  # of each character
        bounds = np.concatenate(([0], np.cumsum(lengths(texts))))
        if len(first_bytes) != bounds[-1]:  # adjacent surrogates became one character, perhaps of two texts
            return super().encode_joined(texts)
        return ids, np.diff(np.append(first_bytes, len(ids))[bounds])

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

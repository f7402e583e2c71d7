"""What every tokenizer is."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import TokenizerConfig, Unknown
from charlm.errors import UnknownCharacterError

Ids = NDArray[np.int32]

SCALAR_VALUES = 0x110000 - 0x800
"""Unicode scalar values: all code points but the surrogates."""

_REMEDY = (
    "write the text without it, or pass --unknown nearest (read é as e), --unknown skip (leave it out) or "
    "--unknown replace (read it as <unk>)"
)


class Tokenizer(ABC):
    """Text to ids and back.

    `decode(encode(text)) == text` for every Unicode string, unless a character is unknown; then `encode` raises, and
    puts `unk` in its place or leaves it out only when told to.
    """

    kind: ClassVar[str]
    bos: int
    """Begins a document."""
    eos: int
    """Ends a document."""
    unk: int | None
    """Stands for a character outside the vocabulary; None where there is no such character."""
    vocab_size: int
    """V, the special tokens among them."""

    @classmethod
    @abstractmethod
    def fit(cls, texts: Iterable[str], characters: int, config: TokenizerConfig) -> Self:
        """Build from the training split; see `charlm.tokenizers.fit_tokenizer`."""

    @abstractmethod
    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """Token ids of a text, without BOS and EOS.

        Args:
            text: any string.
            unknown: what a character outside the vocabulary does: raise `UnknownCharacterError` with its position, be
                read as the nearest that is known ("nearest"; an error where there is none), be left out ("skip"), or
                become `unk` ("replace").
        """

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes that a token writes: none for BOS and EOS, those of U+FFFD for `unk`."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain JSON values from which `from_json` makes the tokenizer again."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`; raises `TokenizerError` for what it can't have written."""

    @property
    def unseen_characters(self) -> int:
        """How many Unicode scalar values lie outside the vocabulary and share the probability of `unk`."""
        return 0

    def unknown_nats(self, characters: int) -> float:
        """What so many unknown characters cost beyond `unk`: a uniform code over all that share it."""
        return characters * math.log(self.unseen_characters) if characters else 0.0

    @property
    def never_written(self) -> tuple[int, ...]:
        """Tokens that a text being written never holds: BOS and `unk`."""
        return (self.bos,) if self.unk is None else (self.bos, self.unk)

    def encode_all(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of many texts, unknown characters as `unk`."""
        return [self.encode(text, unknown="replace") for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a token sequence; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.token_bytes(int(token)) for token in ids).decode("utf-8", errors="replace")

    def fingerprint(self) -> str:
        """A hash that two tokenizers share exactly when they encode alike."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def unknown_character(text: str, position: int) -> UnknownCharacterError:
    """The error for the character at `position` of `text`."""
    return UnknownCharacterError(text[position], position, remedy=_REMEDY)


def encodable(text: str, unknown: Unknown) -> str:
    """`text` without lone surrogates, the only characters that have no UTF-8; for tokenizers that know all others."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if unknown in ("error", "nearest"):  # nothing is near a surrogate
            raise unknown_character(text, error.start) from None
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace" if unknown == "replace" else "ignore")
    return text

"""The interface of all tokenizers."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence, Sized
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import TokenizerConfig, Unknown
from charlm.errors import UnknownCharacterError

Ids = NDArray[np.int32]

SCALAR_VALUES = 0x110000 - 0x800
"""The number of Unicode scalar values: all code points except surrogates."""

_NEAREST = "--unknown nearest (read é as e), "
_REMEDY = "--unknown skip (leave it out) or --unknown replace (read it as <unk>)"


class Tokenizer(ABC):
    """Encodes text as ids and decodes it.

    `decode(encode(text)) == text` for every Unicode string without unknown characters. An unknown character makes
    `encode` raise an error, unless its argument `unknown` says otherwise.
    """

    kind: ClassVar[str]
    splits_words: ClassVar[bool] = False
    """Whether a long text may only be encoded in parts that begin and end between words."""
    bos: int
    """The token that starts a document."""
    eos: int
    """The token that ends a document."""
    unk: int | None
    """The token for characters outside the vocabulary; None when the tokenizer can encode every character."""
    vocab_size: int
    """V, including the special tokens."""

    @classmethod
    @abstractmethod
    def fit(cls, texts: Iterable[str], characters: int, config: TokenizerConfig) -> Self:
        """Fit to the training split; see `charlm.tokenizers.fit_tokenizer`."""

    @abstractmethod
    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """Token ids of a text, without BOS and EOS.

        Args:
            text: any string.
            unknown: how to treat a character outside the vocabulary: "error" raises `UnknownCharacterError` with its
                position, "nearest" reads it as the nearest known text (an error if there is none), together with the
                marks after it, "skip" leaves it out, and "replace" makes it `unk`.
        """

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a token: none for BOS and EOS, those of U+FFFD for `unk`."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain JSON values from which `from_json` restores the tokenizer."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`; raises `TokenizerError` for invalid values."""

    @property
    def unseen_characters(self) -> int:
        """The number of Unicode scalar values outside the vocabulary, which share the probability of `unk`."""
        return 0

    def unknown_nats(self, characters: int) -> float:
        """Nats that unknown characters cost in addition to `unk`: a uniform code over `unseen_characters`."""
        return characters * math.log(self.unseen_characters) if characters else 0.0

    def count_unknown(self, ids: NDArray[np.integer]) -> int:
        """How many of the tokens are `unk`."""
        return 0 if self.unk is None else int(np.count_nonzero(ids == self.unk))

    def continues_spelling(self, before: NDArray[np.integer], tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether tokens continue the spelling of a word outside a vocabulary of words, given the tokens before them.

        Papers on word-level models charge such a word only the cost of its first token.
        """
        return np.zeros(tokens.shape, dtype=bool)

    def is_spelling(self, tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether tokens are a part of the spelling of a word outside a vocabulary of words."""
        return np.zeros(tokens.shape, dtype=bool)

    @property
    def never_written(self) -> tuple[int, ...]:
        """Tokens that never occur in generated text: BOS and `unk`."""
        return (self.bos,) if self.unk is None else (self.bos, self.unk)

    def equivalent(self, text: str) -> str:
        """A text that means the same to a reader and whose characters or first word are known, such as a canonically
        equivalent one (é as one character or two); else `text` itself."""
        return text

    def encode_all(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` many texts, with unknown characters as `unk`."""
        ids, counts = self.encode_joined(texts)
        return np.split(ids, np.cumsum(counts)[:-1]) if len(texts) else []

    def encode_joined(self, texts: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """Like `encode_all`, for millions of texts: the ids of all texts in one array, and how many each text has."""
        encoded = [self.encode(text, unknown="replace") for text in texts]
        return np.concatenate([np.zeros(0, np.int32), *encoded]), lengths(encoded)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a token sequence; bytes that are not valid UTF-8 become U+FFFD."""
        return b"".join(self.token_bytes(int(token)) for token in ids).decode("utf-8", errors="replace")

    def fingerprint(self) -> str:
        """A hash that is the same for two tokenizers exactly when they encode the same way."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def lengths(values: Sequence[Sized]) -> NDArray[np.int64]:
    """The length of each value."""
    return np.fromiter(map(len, values), np.int64, len(values))


def unknown_character(text: str, position: int, *, has_nearest: bool = False) -> UnknownCharacterError:
    """The error for the character at `position` of `text`; `has_nearest` if "nearest" can read the text."""
    remedy = f"remove it, or pass {_NEAREST if has_nearest else ''}{_REMEDY}"
    return UnknownCharacterError(text[position], position, remedy=remedy)


def encodable(text: str, unknown: Unknown) -> str:
    """`text` without lone surrogates, which UTF-8 can't encode; for tokenizers that know all other characters.

    Raises `UnknownCharacterError` for a surrogate when `unknown` is "error" or "nearest".
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if unknown in ("error", "nearest"):  # a surrogate has no nearest text
            raise unknown_character(text, error.start) from None
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace" if unknown == "replace" else "ignore")
    return text

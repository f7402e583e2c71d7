"""The bytes of a file as tokens of a model, and back: any bytes, whatever the model's vocabulary lacks.

A byte that is not valid UTF-8 is read as the code point 0xDC00 + byte, as Python's "surrogateescape" does. A character
outside the vocabulary is `<unk>` and its code point. Where documents of the model's corpus end with a separator, EOS is
the separator, and the token after it is the first of a new document; otherwise the whole file is one document.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.compression.archive import LARGEST_BLOCK
from charlm.config import CorpusConfig
from charlm.data.inputs.line_ends import with_lf
from charlm.tokenizers import Tokenizer

CODE_POINTS = 0x110000
_LONE_BYTES = re.compile("([\udc80-\udcff]+)")


class UnknownSymbolError(ValueError):
    """Tokens that no encoder writes."""


def separator_of(config: CorpusConfig) -> str:
    """What separates two documents of a corpus; empty if a file is one document."""
    return {"file": "", "line": "\n", "paragraph": "\n\n"}.get(config.documents, with_lf(config.separator or ""))


def has_crlf(data: bytes) -> bool:
    """Whether most lines end with CRLF."""
    return 2 * data.count(b"\r\n") > data.count(b"\n")


@dataclass(frozen=True, slots=True)
class Symbols:
    """A file as tokens."""

    ids: NDArray[np.int64]
    """The tokens, (N,)."""
    escapes: NDArray[np.int64]
    """The code point of each token that is `<unk>`, in order."""
    ends: NDArray[np.int64]
    """Where each token ends, in bytes of the file, (N,)."""


class Alphabet:
    """Converts bytes to tokens and back."""

    def __init__(self, tokenizer: Tokenizer, separator: str) -> None:
        """`separator` is from `separator_of`, with CRLF for its line ends if those of the file are so."""
        self._tokenizer, self._separator = tokenizer, separator
        self.bytes_of = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
        """The bytes of each token; empty for those that never occur."""
        self._token_of_byte = {own[0]: token for token, own in enumerate(self.bytes_of) if len(own) == 1}
        self.bytes_of[tokenizer.eos] = separator.encode()
        self.bytes_of[tokenizer.bos] = b""
        if tokenizer.unk is not None:
            self.bytes_of[tokenizer.unk] = b""

    def encode(self, data: bytes) -> Symbols:
        """The tokens of a file."""
        text = data.decode("utf-8", "surrogateescape")
        tokens = self._tokens(text)
        if self._tokenizer.unk is None and b"".join(map(self.bytes_of.__getitem__, tokens)) != data:
            tokens = [self._token_of_byte[byte] for byte in data]  # in case a subword tokenizer lost something
        return self._symbols(text, tokens)

    def tokens_of_block(self, most: int) -> int:
        """How many tokens a block may have, at most `most`, so that their bytes don't exceed `LARGEST_BLOCK`."""
        return max(1, min(most, LARGEST_BLOCK // max(4, *map(len, self.bytes_of))))

    def bytes_of_escape(self, code_point: int) -> bytes:
        """The bytes of `<unk>` with a code point; raises `UnknownSymbolError` for one that stands for nothing."""
        try:
            return chr(code_point).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise UnknownSymbolError(f"the code point U+{code_point:04X}") from None

    def _tokens(self, text: str) -> "list[int] | NDArray[np.int32]":
        """The tokens of a text, with EOS at each separator."""
        if not self._separator:
            return self._tokens_of_document(text)
        first, *others = text.split(self._separator)
        tokens = [*self._tokens_of_document(first)]
        for document in others:
            tokens += [self._tokenizer.eos, *self._tokens_of_document(document)]
        return tokens

    def _tokens_of_document(self, text: str) -> "list[int] | NDArray[np.int32]":
        if self._tokenizer.unk is not None or not _LONE_BYTES.search(text):
            return self._tokenizer.encode(text, unknown="replace")
        tokens: list[int] = []
        for index, part in enumerate(_LONE_BYTES.split(text)):
            if index % 2:
                tokens += [self._token_of_byte[byte] for byte in part.encode("utf-8", "surrogateescape")]
            else:
                tokens += self._tokenizer.encode(part).tolist()
        return tokens

    def _symbols(self, text: str, tokens: "list[int] | NDArray[np.int32]") -> Symbols:
        ids = np.asarray(tokens, np.int64)
        sizes = np.array([*map(len, self.bytes_of)], np.int64)[ids]
        unk, escapes = self._tokenizer.unk, np.zeros(0, np.int64)
        if unk is not None and (places := np.flatnonzero(ids == unk)).size:
            escapes = self._unknown(text)
            sizes[places] = [len(self.bytes_of_escape(code)) for code in escapes.tolist()]
        return Symbols(ids, escapes, np.cumsum(sizes))

    def _unknown(self, text: str) -> NDArray[np.int64]:
        """The code points of the characters that are `<unk>`; such a tokenizer has a token for each character."""
        text = text.replace(self._separator, "") if self._separator else text
        is_unknown = self._tokenizer.encode(text, unknown="replace") == self._tokenizer.unk
        unknown: NDArray[np.int64] = _codes(text)[is_unknown]
        return unknown


def _codes(text: str) -> NDArray[np.int64]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)

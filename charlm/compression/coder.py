"""Arithmetic coding of tokens by logits, in compiled code; `charlm.compression.reference` is the same in Python.

`native/sources/coder.c` describes the algorithm. Encoder and decoder turn logits into the same integer frequencies, so
every token has a code, however unlikely it is.
"""

import ctypes
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charlm.compression.reference import ReferenceDecoder, ReferenceEncoder, last_bytes
from charlm.ngram.native_code import native_library, structures

_FIRST_BYTES = 1 << 16  # memory of an encoder, which grows
_FULL_RANGE = (1 << 64) - 1

Logits = NDArray[np.floating]


class Encoder(Protocol):
    """Writes tokens and other choices as bytes."""

    def token(self, logits: Logits, token: int) -> None:
        """Encode a token by its probability under logits (V,)."""

    def uniform(self, index: int, total: int) -> None:
        """Encode one of `total` equally likely numbers from 0 on; `total` is at most 2^31."""

    def finish(self) -> bytes:
        """All bytes. Nothing may follow."""


class Decoder(Protocol):
    """Reads what an `Encoder` has written, with the same arguments. It reads something from any bytes."""

    def token(self, logits: Logits) -> int:
        """Decode a token."""

    def uniform(self, total: int) -> int:
        """Decode one of `total` equally likely numbers."""


def make_encoder(vocab_size: int) -> Encoder:
    """An encoder for V tokens, compiled if possible."""
    code = native_library(portable=True)
    return ReferenceEncoder() if code is None else CompiledEncoder(code, vocab_size)


def make_decoder(content: bytes, vocab_size: int) -> Decoder:
    """A decoder of what an encoder has written, compiled if possible."""
    code = native_library(portable=True)
    return ReferenceDecoder(content) if code is None else CompiledDecoder(code, content, vocab_size)


class _Row:
    """Where logits are; predictors mostly return the same array again, and its address takes a microsecond."""

    def __init__(self) -> None:
        self._logits: Logits | None = None
        self._address = 0

    def address(self, logits: Logits) -> int:
        """The address of logits as float32."""
        if logits is not self._logits:
            self._copy = np.ascontiguousarray(logits, np.float32)
            self._address = self._copy.ctypes.data
            self._logits = logits if self._copy is logits else None
        return self._address


class CompiledEncoder:
    """An `Encoder` in compiled code."""

    def __init__(self, code: ctypes.CDLL, vocab_size: int) -> None:
        self._code, self._vocab_size, self._row = code, vocab_size, _Row()
        self._frequencies, self._bytes = np.empty(vocab_size, np.uint32), np.empty(_FIRST_BYTES, np.uint8)
        self._block = structures.Coder(range=_FULL_RANGE, frequencies=self._frequencies.ctypes.data)
        self._address = ctypes.addressof(self._block)
        self._use_memory()

    def token(self, logits: Logits, token: int) -> None:
        """See `Encoder.token`."""
        address = self._row.address(logits)
        while not self._code.coder_encode_token(self._address, address, self._vocab_size, token):
            self._grow()

    def uniform(self, index: int, total: int) -> None:
        """See `Encoder.uniform`."""
        while not self._code.coder_encode(self._address, index, 1, total):
            self._grow()

    def finish(self) -> bytes:
        """See `Encoder.finish`."""
        block = self._block
        held = bytes([block.first, *[255] * (block.held - 1)]) if block.held else b""
        return self._bytes[: block.length].tobytes() + last_bytes(held, block.low, block.range)

    def _grow(self) -> None:
        self._bytes = np.concatenate((self._bytes, np.empty(len(self._bytes), np.uint8)))
        self._use_memory()

    def _use_memory(self) -> None:
        self._block.bytes, self._block.capacity = self._bytes.ctypes.data, len(self._bytes)


class CompiledDecoder:
    """A `Decoder` in compiled code."""

    def __init__(self, code: ctypes.CDLL, content: bytes, vocab_size: int) -> None:
        self._code, self._vocab_size, self._row = code, vocab_size, _Row()
        self._frequencies, self._bytes = np.empty(vocab_size, np.uint32), np.frombuffer(content, np.uint8)
        self._block = structures.Coder(
            low=int.from_bytes(content[:8].ljust(8, b"\0"), "big"),
            range=_FULL_RANGE,
            bytes=self._bytes.ctypes.data,
            length=8,
            capacity=len(content),
            frequencies=self._frequencies.ctypes.data,
        )
        self._address = ctypes.addressof(self._block)

    def token(self, logits: Logits) -> int:
        """See `Decoder.token`."""
        return int(self._code.coder_decode_token(self._address, self._row.address(logits), self._vocab_size))

    def uniform(self, total: int) -> int:
        """See `Decoder.uniform`."""
        index = int(self._code.coder_decode(self._address, total))
        self._code.coder_consume(self._address, index, 1, total)
        return index

"""The arithmetic coder in Python: the same bytes as `native/sources/coder.c`, slowly.

Source: Martin 1979, "Range encoding: an algorithm for removing redundancy from a digitised message". The code is one
long number below 1. Each case narrows the interval from `low` to `low + range` in which it lies.
"""

import numpy as np
from numpy.typing import NDArray

from charlm.compression.float32 import exp

_TOTAL = 1 << 31
_LEAST = 1 << 56
_FULL = (1 << 64) - 1
_LANES = 8
_MOST = 2147483520.0  # the largest float32 below 2^31


def frequencies(logits: NDArray[np.floating]) -> NDArray[np.int64]:
    """Integer frequencies, each at least 1, of the probabilities under logits (V,)."""
    row = np.asarray(logits, np.float32)
    largest = np.max(np.where(np.isnan(row), np.float32(-np.inf), row))
    with np.errstate(invalid="ignore"):
        p = exp(row - largest).astype(np.float64)
    p = np.where(p > 0, p, 0.0)
    lanes = np.zeros((-(-len(p) // _LANES), _LANES))
    lanes.ravel()[: len(p)] = p
    total = 0.0
    for lane in np.cumsum(lanes, axis=0)[-1].tolist():  # one sum after the other, as in C
        total += lane
    share = p * (float(_TOTAL - len(p)) / total) if total else p
    return 1 + np.minimum(share, _MOST).astype(np.int64)


def last_bytes(held: bytes, low: int, size: int) -> bytes:
    """The fewest bytes that end a code: those held back, then those of the shortest number in the interval."""
    number = low
    for bits in range(56, -8, -8):
        number = -(-low >> bits) << bits
        if number < low + size:
            break
    number += int.from_bytes(held, "big") << 64
    return number.to_bytes(len(held) + 8, "big").rstrip(b"\0")


class ReferenceEncoder:
    """A `charlm.compression.coder.Encoder`."""

    def __init__(self) -> None:
        self._low, self._range = 0, _FULL
        self._bytes = bytearray()

    def token(self, logits: NDArray[np.floating], token: int) -> None:
        """See `Encoder.token`."""
        counts = frequencies(logits)
        self._encode(int(counts[:token].sum()), int(counts[token]), int(counts.sum()))

    def uniform(self, index: int, total: int) -> None:
        """See `Encoder.uniform`."""
        self._encode(index, 1, total)

    def finish(self) -> bytes:
        """See `Encoder.finish`."""
        return last_bytes(bytes(self._bytes), self._low, self._range)

    def _encode(self, start: int, size: int, total: int) -> None:
        unit = self._range // total
        self._low += unit * start
        self._range = unit * size
        if self._low > _FULL:
            self._low &= _FULL
            self._carry()
        while self._range < _LEAST:
            self._bytes.append(self._low >> 56)
            self._low = self._low << 8 & _FULL
            self._range <<= 8

    def _carry(self) -> None:
        place = len(self._bytes) - 1
        while self._bytes[place] == 255:
            self._bytes[place] = 0
            place -= 1
        self._bytes[place] += 1


class ReferenceDecoder:
    """A `charlm.compression.coder.Decoder`."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place, self._range = content, 8, _FULL
        self._code = int.from_bytes(content[:8].ljust(8, b"\0"), "big")  # minus the low end of the interval

    def token(self, logits: NDArray[np.floating]) -> int:
        """See `Decoder.token`."""
        counts = frequencies(logits)
        ends = np.cumsum(counts)
        at = self._at(int(ends[-1]))
        token = int(np.searchsorted(ends, at, side="right"))
        self._consume(int(ends[token] - counts[token]), int(counts[token]), int(ends[-1]))
        return token

    def uniform(self, total: int) -> int:
        """See `Decoder.uniform`."""
        index = self._at(total)
        self._consume(index, 1, total)
        return index

    def _at(self, total: int) -> int:
        return min(self._code // (self._range // total), total - 1)

    def _consume(self, start: int, size: int, total: int) -> None:
        unit = self._range // total
        self._code = self._code - unit * start & _FULL
        self._range = unit * size
        while self._range < _LEAST:
            following = self._content[self._place] if self._place < len(self._content) else 0
            self._code = (self._code << 8 | following) & _FULL
            self._place += 1
            self._range <<= 8

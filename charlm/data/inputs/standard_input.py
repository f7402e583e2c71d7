"""Standard input as a stream that is read once, as its bytes arrive."""

import io
from typing import BinaryIO, cast

from charlm.data.packed.compressed import unpacked

_START = 1 << 16  # bytes at the start that can be read again


class SinglePassInput:
    """Opens a stream once, unpacked if it is compressed.

    A second opening finds its first bytes only, from which its encoding can be guessed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream: BinaryIO | None = stream
        self._start = b""

    def open(self) -> BinaryIO:
        """The stream, or its start if it was opened before."""
        if self._stream is None:
            return io.BytesIO(self._start)
        given, self._stream = self._stream, None
        stream = unpacked(cast(BinaryIO, _WithStart(given.read(_START), given)), "standard input")
        self._start = stream.read(_START)
        return cast(BinaryIO, _WithStart(self._start, stream))


class _WithStart:
    """A stream that can go back to its start until more than its start is read."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start, self._stream = io.BytesIO(start), stream

    def __enter__(self) -> "_WithStart":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing: standard input stays open."""

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end."""
        chunk = self._start.read(size)
        return chunk + self._stream.read(size - len(chunk)) if len(chunk) < size else chunk

    def seek(self, offset: int) -> int:
        """Go back to a place in the start."""
        return self._start.seek(offset)

"""Numbers in a file that is read in parts, each block of which is verified when it is first read.

A checksum finds what a disk, a power cut or another program did to a file. Each block is read once more for it, at
more than a gigabyte per second, so that a large file is opened at once and a damaged block is never used. The file is
read, not mapped: a mapped file that another program cuts short would end this process by a signal.
"""

import os
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.nouns import count_of

BLOCK = 1 << 20
"""Bytes that share a checksum."""
_BINARY = getattr(os, "O_BINARY", 0)  # of Windows


class DamagedFileError(ValueError):
    """A file is not what was written."""


def checksums(path: Path) -> list[int]:
    """The CRC-32 of each block of a file."""
    with path.open("rb") as file:
        return [zlib.crc32(block) for block in iter(lambda: file.read(BLOCK), b"")]


class VerifiedFile:
    """A file of numbers from 0 on, of which `checksums` are known; it stays open as long as this object exists."""

    def __init__(self, path: Path, dtype: np.dtype[Any], length: int, sums: Sequence[int], limit: int) -> None:
        """Open the file.

        Args:
            path: the file, which isn't empty.
            dtype: the type of the numbers in the file.
            length: how many numbers the file has.
            sums: the checksum of each block of the file.
            limit: the number that all numbers in the file are below.

        Raises `DamagedFileError` for a file of another length, `OSError` for one that can't be read.
        """
        self._descriptor = os.open(path, os.O_RDONLY | _BINARY)
        weakref.finalize(self, os.close, self._descriptor)
        size = os.fstat(self._descriptor).st_size
        if size != length * dtype.itemsize or len(sums) != -(-size // BLOCK):
            raise DamagedFileError(f"{path} has {count_of(size, 'byte')}, not {length * dtype.itemsize:,}")
        self.path = path
        self._dtype, self._length, self._sums, self._limit = dtype, length, sums, limit
        self._unverified = set(range(len(sums)))

    def __len__(self) -> int:
        """How many numbers the file has."""
        return self._length

    @property
    def verified(self) -> bool:
        """Whether the whole file is."""
        return not self._unverified

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Numbers `start` up to `stop`.

        Raises `DamagedFileError` if they were damaged, or if the file has become shorter; `OSError` if the disk fails.
        """
        self.verify(start, stop)
        return self._read(start, stop)

    def verify(self, start: int, stop: int) -> None:
        """Verify the blocks of numbers `start` up to `stop` that haven't been; raises as `read` does."""
        size = self._dtype.itemsize
        for block in range(start * size // BLOCK, -(-stop * size // BLOCK)) if self._unverified else ():
            if block in self._unverified:
                self._verify_block(block)

    def _verify_block(self, block: int) -> None:
        step = BLOCK // self._dtype.itemsize
        end = min((block + 1) * step, self._length)
        numbers = self._read(block * step, end)
        if zlib.crc32(numbers.data) != self._sums[block] or numbers.max() >= self._limit:
            raise DamagedFileError(
                f"{self.path} is damaged in bytes {block * BLOCK:,} to {end * self._dtype.itemsize - 1:,}"
            )
        self._unverified.remove(block)

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        size = self._dtype.itemsize
        wanted = max(0, min(stop, self._length) - start) * size
        content = _read_at(self._descriptor, start * size, wanted)
        if len(content) < wanted:
            raise DamagedFileError(f"{self.path} became shorter while charlm was using it")
        return np.frombuffer(bytearray(content), dtype=self._dtype)


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    """`size` bytes of a file; fewer at its end."""
    if not hasattr(os, "pread"):  # Windows
        os.lseek(descriptor, offset, os.SEEK_SET)
    parts = list[bytes]()
    while size:
        part = os.pread(descriptor, size, offset) if hasattr(os, "pread") else os.read(descriptor, size)
        if not part:
            break
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)

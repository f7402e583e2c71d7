"""Numbers in a memory-mapped file, each block of which is verified when it is first read.

A checksum finds what a disk, a power cut or another program did to a file. Each block is read once more for it, at
more than a gigabyte per second, so that a large file is opened at once and a damaged block is never used.
"""

import mmap
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 20
"""Bytes that share a checksum."""
_RELEASED = 128  # blocks that are verified before their pages are released to the system


class DamagedFileError(ValueError):
    """A file is not what was written."""


def checksums(path: Path) -> list[int]:
    """The CRC-32 of each block of a file."""
    with path.open("rb") as file:
        return [zlib.crc32(block) for block in iter(lambda: file.read(BLOCK), b"")]


class VerifiedFile:
    """A file of numbers from 0 on, of which `checksums` are known."""

    def __init__(self, path: Path, dtype: np.dtype[Any], length: int, sums: Sequence[int], limit: int) -> None:
        """Map the file.

        Args:
            path: the file, which isn't empty.
            dtype: the type of the numbers in the file.
            length: how many numbers the file has.
            sums: the checksum of each block of the file.
            limit: the number that all numbers in the file are below.

        Raises `DamagedFileError` for a file of another length, `OSError` for one that can't be read.
        """
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size != length * dtype.itemsize or len(sums) != -(-size // BLOCK):
                raise DamagedFileError(f"{path} has {size:,} bytes, not {length * dtype.itemsize:,}")
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.path = path
        self.numbers: NDArray[Any] = np.frombuffer(self._mapped, dtype=dtype)
        """All of them, verified or not."""
        self._sums, self._limit = sums, limit
        self._unverified = set(range(len(sums)))

    @property
    def verified(self) -> bool:
        """Whether the whole file is."""
        return not self._unverified

    def verify(self, start: int, stop: int) -> None:
        """Verify the blocks of numbers[start:stop] that haven't been; raises `DamagedFileError`."""
        size = self.numbers.itemsize
        for block in range(start * size // BLOCK, -(-stop * size // BLOCK)):
            if block in self._unverified:
                self._verify_block(block)

    def release(self) -> None:
        """Give the mapped pages back to the system, so that memory stays bounded."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def _verify_block(self, block: int) -> None:
        step = BLOCK // self.numbers.itemsize
        numbers = self.numbers[block * step : (block + 1) * step]
        if zlib.crc32(numbers.data) != self._sums[block] or numbers.max() >= self._limit:
            end = min((block + 1) * BLOCK, self.numbers.nbytes)
            raise DamagedFileError(f"{self.path} is damaged in bytes {block * BLOCK:,} to {end - 1:,}")
        self._unverified.remove(block)
        if (len(self._sums) - len(self._unverified)) % _RELEASED == 0:
            self.release()

"""Texts in compressed files: gzip, bzip2, xz and zstd, unpacked as they are read and never whole in memory."""

import bz2
import lzma
import shlex
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from charlm.errors import CorpusError
from charlm.nouns import count_of, form_for

LARGEST_RATIO = 500
"""How many times its size a compressed file may grow; deflate's limit is 1,032, and of ordinary text it reaches 10."""
SMALL = 1 << 26
"""Bytes of text up to which any ratio is fine."""
ZSTD_EXTRA = "pip install 'charlm-rnn[zstd]'"

_CHUNK = 1 << 18  # stored bytes read at a time
_MEMORY = 1 << 28  # bytes for unpacking xz, whose strongest preset needs a quarter
_LONGEST_MARK = 10
_SKIPPABLE = tuple(bytes((first,)) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))  # frames of zstd without text


class Decompressor(Protocol):
    """Unpacks one stream of a file, as the decompressors of bz2 and lzma do."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether there is no more output without more input."""

    @property
    def unused_data(self) -> bytes:
        """The input after the end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The output after another part of the input, at most `max_length` bytes."""


class _Gzip:
    """The decompressor of gzip; `zlib` verifies its checksum and its length."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


class ZstdMissingError(CorpusError):
    """This Python can't unpack zstd, and `backports.zstd` isn't installed."""


def _zstd() -> Any:
    """The module of zstd: that of Python 3.14, or its backport; raises ImportError."""
    try:
        from compression import zstd  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        from backports import zstd  # type: ignore[import-not-found, import-untyped, unused-ignore]
    return zstd


@dataclass(frozen=True, slots=True)
class Compression:
    """A way in which a single file is compressed."""

    name: str
    suffix: str
    command: str
    """Writes the text of a file to standard output."""
    marks: tuple[bytes, ...]
    """How a file begins."""
    decompressor: Callable[[], Decompressor]

    def unpack_command(self, path: str) -> str:
        """A command that writes the text of a file to another file."""
        unpacked = Path(path).name.removesuffix(self.suffix)
        unpacked = f"{unpacked}.txt" if unpacked == Path(path).name else unpacked
        return f"{self.command} {shlex.quote(path)} > {shlex.quote(unpacked)}"


_COMPRESSIONS = (
    Compression("gzip", ".gz", "gunzip -c", (b"\x1f\x8b",), _Gzip),
    Compression(
        "bzip2",
        ".bz2",
        "bzip2 -dc",
        tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
        bz2.BZ2Decompressor,
    ),
    Compression("xz", ".xz", "xz -dc", (b"\xfd7zXZ\0",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)),
    Compression(
        "zstd",
        ".zst",
        "zstd -dc",
        (b"\x28\xb5\x2f\xfd", *_SKIPPABLE),
        lambda: cast(Decompressor, _zstd().ZstdDecompressor()),
    ),
)


def compression_of(start: bytes) -> Compression | None:
    """How a file that begins with these bytes is compressed; None if it isn't."""
    return next((form for form in _COMPRESSIONS if start.startswith(form.marks)), None)


def without_suffix(name: str) -> str:
    """The name of a file without the suffix that says how it is compressed."""
    suffix = next((form.suffix for form in _COMPRESSIONS if name.lower().endswith(form.suffix)), "")
    return name[: len(name) - len(suffix)] or name


def unpacked(file: BinaryIO, name: str) -> BinaryIO:
    """The text of a file that may be compressed.

    Args:
        file: at its start.
        name: of the file, for messages.

    Raises `CorpusError` if the file is compressed by zstd and this Python can't unpack it.
    """
    try:
        form = compression_of(file.read(_LONGEST_MARK))
        file.seek(0)
        return file if form is None else cast(BinaryIO, Unpacker(file, form, name))
    except (CorpusError, OSError):
        file.close()
        raise


class Unpacker:
    """The text of a compressed file as a stream.

    Its methods raise `CorpusError` for a file that is damaged or cut short, and for a decompression bomb: a small file
    of `LARGEST_RATIO` times as much text, which would fill the disk.
    """

    def __init__(self, file: BinaryIO, compression: Compression, name: str) -> None:
        self.compression, self.path = compression, str(getattr(file, "name", name))
        self.stored = 0
        """Bytes of the file that have been read."""
        self._file, self._name = file, name
        self._position = 0  # in the text
        self._rest = b""  # of the file, which was read and not yet unpacked
        self._decompressor = self._new_decompressor()

    def __enter__(self) -> "Unpacker":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes of the text, or all; fewer at the end."""
        parts = list[bytes]()
        while size and (part := self._unpack(size if size > 0 else _CHUNK)):
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def seek(self, offset: int) -> int:
        """Go to a place in the text: forward by unpacking, back by starting again."""
        if offset < self._position:
            self._file.seek(0)
            self.stored, self._position, self._rest = 0, 0, b""
            self._decompressor = self._new_decompressor()
        while self._position < offset and self.read(min(_CHUNK, offset - self._position)):
            pass
        return self._position

    def _new_decompressor(self) -> Decompressor:
        try:
            return self.compression.decompressor()
        except ImportError:
            raise ZstdMissingError(
                f"{self._name} is compressed by zstd, which this Python can't read; install the extra with "
                f"{ZSTD_EXTRA}, or unpack the file first: {self.compression.unpack_command(self.path)}"
            ) from None

    def _unpack(self, most: int) -> bytes:
        """The next bytes of the text, at least one unless it has ended."""
        while not self._decompressor.eof or self._begins_stream():
            data = b""
            if self._decompressor.needs_input:
                data, self._rest = self._rest or self._read(), b""
            try:
                text = self._decompressor.decompress(data, most)
            except Exception as error:  # of several modules: their errors have no common class
                reason = str(error).partition("\n")[0][:80]
                raise self._damaged(
                    f"it can't be unpacked ({reason}), in its first {count_of(self.stored, 'byte')}"
                ) from None
            if text:
                self._position += len(text)
                self._check_ratio()
                return text
            if not data and self._decompressor.needs_input and not self._decompressor.eof:
                raise CorpusError(
                    f"{self._name} is cut short: its {count_of(self.stored, 'byte')} "
                    f"{form_for(self.stored, 'ends', 'end')} in the middle of {self.compression.name}"
                    " data; copy or download it again"
                )
        return b""

    def _begins_stream(self) -> bool:
        """Whether another stream follows the one that has ended, which is then begun; padding is skipped."""
        rest = self._decompressor.unused_data
        while len(rest := rest.lstrip(b"\0")) < _LONGEST_MARK and (more := self._read()):
            rest += more
        if rest and compression_of(rest) is not self.compression:
            raise self._damaged(f"{self.compression.name} data is followed by something else")
        if rest:
            self._rest, self._decompressor = rest, self._new_decompressor()
        return bool(rest)

    def _read(self) -> bytes:
        data = self._file.read(_CHUNK)
        self.stored += len(data)
        return data

    def _check_ratio(self) -> None:
        if self._position > max(SMALL, LARGEST_RATIO * self.stored):
            remedy = f"if it is a text, unpack it first: {self.compression.unpack_command(self.path)}"
            raise CorpusError(
                f"{self._name} grows to more than {LARGEST_RATIO} times its size, as a decompression bomb does, so "
                f"charlm stopped reading; {remedy}"
            )

    def _damaged(self, reason: str) -> CorpusError:
        return CorpusError(f"{self._name} is damaged: {reason}; copy or download it again")

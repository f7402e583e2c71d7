"""The file format of an archive: a header, blocks and a hash; docs/reference/archive.md describes it.

Reading allocates nothing by what a length says: every length is compared with the bytes that are there.
"""

import hashlib
import lzma
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from charlm.errors import ArchiveError
from charlm.nouns import count_of, form_for

MAGIC = b"\x8bclm"
VERSION = 1
DIGEST = 8
"""Bytes of the model's digest."""
LARGEST_BLOCK = 1 << 24
"""Bytes of a file that a block may hold."""
_HASH = 8  # bytes of the sha256 of the file
_LARGEST_MODEL = 1 << 33
_UNPACKER_MEMORY = 1 << 28  # bytes; the strongest preset of xz needs a quarter
_CRC = struct.Struct("<I")
_DYNAMIC, _PORTABLE, _SELF_CONTAINED, _CRLF = 1, 2, 4, 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What an archive says about itself."""

    model: bytes
    """The digest of the model."""
    length: int
    """Bytes of the file."""
    dynamic: bool = False
    crlf: bool = False
    """Whether the separator of documents has CRLF for its line ends."""
    machine: str = ""
    """What the probabilities depend on besides the model; empty if they are portable."""
    own_model: bytes | None = None
    """The model file; None if it is not in the archive."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file."""

    length: int
    """Bytes of the file."""
    stored: bool
    """Whether `payload` is the part itself, and the next block starts as a new document."""
    payload: bytes
    crc: int
    """CRC-32 of the part."""


def write_archive(header: Header, blocks: Sequence[Block], sha256: bytes) -> bytes:
    """The bytes of an archive; `sha256` is the hash of the whole file."""
    flags = header.dynamic * _DYNAMIC | (not header.machine) * _PORTABLE | header.crlf * _CRLF
    parts = [MAGIC, bytes([VERSION, flags | (header.own_model is not None) * _SELF_CONTAINED]), header.model]
    parts.append(_number(header.length))
    if header.machine:
        parts += [_number(len(header.machine.encode())), header.machine.encode()]
    if header.own_model is not None:
        packed = lzma.compress(header.own_model)
        parts += [_number(len(header.own_model)), _number(len(packed)), packed]
    content = _checked(b"".join(parts))
    for block in blocks:
        numbers = _number(block.length) + _number(2 * len(block.payload) + block.stored)
        content += _checked(numbers + _CRC.pack(block.crc) + block.payload)
    return content + sha256[:_HASH]


def read_archive(content: bytes) -> tuple[Header, list[Block]]:
    """The header and the blocks of an archive, whose checksums are right.

    Raises `ArchiveError` for what is no archive, is damaged, or has another version.
    """
    reader = _Reader(content)
    if (magic := reader.take(min(len(MAGIC), len(content)))) != MAGIC:
        if not content:
            raise ArchiveError("the file is empty; give a file that `charlm compress` wrote")
        cut = MAGIC.startswith(magic)
        raise (
            damaged("it is cut short")
            if cut
            else ArchiveError(
                "this is not a charlm archive, since it starts differently; give a file that `charlm compress` wrote"
            )
        )
    version, flags = reader.take(2)
    if version != VERSION:
        raise ArchiveError(
            f"the archive has format version {version}, but this charlm reads version {VERSION}; install the charlm "
            "that made it"
        )
    header = _read_header(reader, flags)
    blocks: list[Block] = []
    left = header.length
    while left:
        block = _read_block(reader)
        if not 0 < block.length <= min(left, LARGEST_BLOCK):
            raise damaged(f"a block says that it holds {count_of(block.length, 'byte')}")
        left -= block.length
        blocks.append(block)
    reader.take(_HASH)
    if reader.left:
        raise damaged(f"{count_of(reader.left, 'byte')} {form_for(reader.left, 'follows', 'follow')} its end")
    return header, blocks


def check_hash(content: bytes, data: bytes) -> None:
    """Raise `ArchiveError` unless a file has the hash at the end of its archive."""
    if hashlib.sha256(data).digest()[:_HASH] != content[-_HASH:]:
        raise damaged("the hash of what it holds differs")


def _read_header(reader: "_Reader", flags: int) -> Header:
    if flags & ~(_DYNAMIC | _PORTABLE | _SELF_CONTAINED | _CRLF):
        raise damaged(f"it has the unknown flags {flags:#x}")
    model, length = reader.take(DIGEST), reader.number()
    machine = b"" if flags & _PORTABLE else reader.take(reader.number())
    size, packed = 0, None
    if flags & _SELF_CONTAINED:
        size = reader.number()
        packed = reader.take(reader.number())
    reader.check(0, "header")
    try:
        name = machine.decode()
    except UnicodeDecodeError:
        raise damaged("its description of the machine is no text") from None
    return Header(
        model=model,
        length=length,
        dynamic=bool(flags & _DYNAMIC),
        crlf=bool(flags & _CRLF),
        machine=name,
        own_model=None if packed is None else _unpacked(packed, size),
    )


def _unpacked(packed: bytes, size: int) -> bytes:
    if size > _LARGEST_MODEL:
        raise damaged(f"it says that its model has {count_of(size, 'byte')}; at most {_LARGEST_MODEL:,} are allowed")
    try:
        unpacker = lzma.LZMADecompressor(memlimit=_UNPACKER_MEMORY)
        model = unpacker.decompress(packed, size + 1)
    except lzma.LZMAError as error:
        raise damaged(f"its model can't be unpacked ({error})") from None
    if len(model) != size or not unpacker.eof:
        raise damaged(f"its model has not {count_of(size, 'byte')}")
    return model


def _read_block(reader: "_Reader") -> Block:
    start = reader.place
    length, size = reader.number(), reader.number()
    crc, payload = _CRC.unpack(reader.take(_CRC.size))[0], reader.take(size // 2)
    reader.check(start, "block")
    if size % 2 and length != len(payload):
        raise damaged("a stored block has another length than it says")
    return Block(length, bool(size % 2), payload, crc)


class _Reader:
    """Takes an archive apart."""

    def __init__(self, content: bytes) -> None:
        self._content, self.place = content, 0

    @property
    def left(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._content) - self.place

    def take(self, size: int) -> bytes:
        """The next bytes; raises `ArchiveError` if there are fewer."""
        if size > self.left:
            raise damaged(
                f"it is cut short: {count_of(size, 'more byte')} should follow, but there "
                f"{form_for(self.left, 'is', 'are')} {self.left:,}"
            )
        self.place += size
        return self._content[self.place - size : self.place]

    def number(self) -> int:
        """The next number, below 2^63: seven bits in each byte, the lowest first, 128 added to all but the last."""
        number = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise damaged("it has a number beyond 2^63")

    def check(self, start: int, what: str) -> None:
        """Compare the next four bytes with the CRC-32 of what was taken since `start`."""
        found = zlib.crc32(self._content[start : self.place])
        if _CRC.unpack(self.take(_CRC.size))[0] != found:
            raise damaged(f"the checksum of its {what} differs")


def _checked(part: bytes) -> bytes:
    return part + _CRC.pack(zlib.crc32(part))


def _number(number: int) -> bytes:
    """See `_Reader.number`."""
    content = bytearray()
    while number > 127:
        content.append(number & 127 | 128)
        number >>= 7
    return bytes([*content, number])


def damaged(damage: str) -> ArchiveError:
    """The error for a damaged archive."""
    return ArchiveError(f"the archive is damaged: {damage}; use another copy of it")

"""The file format: whatever is changed in an archive is noticed, and no length is believed."""

import lzma
import zlib

import pytest

from charlm.compression import compress, decompress
from charlm.compression.archive import MAGIC, VERSION, Block, Header, read_archive, write_archive
from charlm.errors import ArchiveError

HEADER = Header(model=bytes(8), length=5)
BLOCKS = [Block(3, False, b"xyz", 1), Block(2, True, b"ab", zlib.crc32(b"ab"))]


def number(value: int) -> bytes:
    """A number as in an archive."""
    return bytes([value >> shift & 127 | 128 for shift in range(0, 56, 7)]) + bytes([value >> 56])


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        Header(model=bytes(8), length=5, dynamic=True, machine="this one, é"),
        Header(model=bytes(8), length=5, crlf=True, own_model=b"a model" * 100),
    ],
)
def test_what_is_written_is_read_again(header: Header) -> None:
    assert read_archive(write_archive(header, BLOCKS, bytes(32))) == (header, BLOCKS)


def test_every_flipped_bit_is_noticed(model_for, dataset) -> None:
    model = model_for(dataset)
    data = b"owl and the \xffowl and a cat."
    archive = compress(data, model)
    assert decompress(archive, model) == data
    for place in range(8 * len(archive)):
        damaged = bytearray(archive)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ArchiveError):
            decompress(bytes(damaged), model)


def test_every_cut_is_noticed_and_so_is_what_follows() -> None:
    archive = write_archive(HEADER, BLOCKS, bytes(32))
    for size in range(len(archive)):
        with pytest.raises(ArchiveError, match="is empty" if size == 0 else "cut short"):
            read_archive(archive[:size])
    with pytest.raises(ArchiveError, match="1 byte follows"):
        read_archive(archive + b"x")


@pytest.mark.parametrize("length", [1 << 60, (1 << 63) - 1])
def test_huge_lengths_are_refused(length: int) -> None:
    start = MAGIC + bytes([VERSION, 2]) + bytes(8)

    def checked(part: bytes) -> bytes:
        return part + zlib.crc32(part).to_bytes(4, "little")

    head = checked(start + number(length))
    for archive in (
        head,
        head + checked(number(length) + number(8) + bytes(4) + b"abcd") + bytes(8),
        head + number(4) + number(length) + bytes(30),
        MAGIC + bytes([VERSION, 0]) + bytes(8) + number(5) + number(length) + bytes(30),
        checked(MAGIC + bytes([VERSION, 6]) + bytes(8) + number(5) + number(length) + number(3) + b"abc"),
        start + b"\xff" * 40,
    ):
        with pytest.raises(ArchiveError) as error:
            read_archive(archive)
        assert "\n" not in str(error.value)


def test_other_versions_flags_and_files_are_named() -> None:
    archive = write_archive(HEADER, BLOCKS, bytes(32))
    with pytest.raises(ArchiveError, match="version 2, but this charlm reads version 1"):
        read_archive(archive[:4] + b"\2" + archive[5:])
    with pytest.raises(ArchiveError, match="unknown flags"):
        read_archive(archive[:5] + b"\x80" + archive[6:])
    with pytest.raises(ArchiveError, match="not a charlm archive"):
        read_archive(b"PK and so on")


def test_a_model_that_unpacks_to_more_than_it_says_is_refused() -> None:
    archive = bytearray(write_archive(Header(model=bytes(8), length=0, own_model=bytes(100)), [], bytes(32)))
    assert archive[15] == 100
    archive[15] = 99
    end = len(archive) - 12
    archive[end : end + 4] = zlib.crc32(bytes(archive[:end])).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="has not 99 bytes"):
        read_archive(bytes(archive))


def test_a_model_that_needs_much_memory_to_unpack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = lzma.compress(bytes(100), format=lzma.FORMAT_ALONE)
    with_large_dictionary = packed[:1] + (1 << 31).to_bytes(4, "little") + packed[5:]
    monkeypatch.setattr(lzma, "compress", lambda content: with_large_dictionary)
    archive = write_archive(Header(model=bytes(8), length=0, own_model=bytes(100)), [], bytes(32))
    with pytest.raises(ArchiveError, match="can't be unpacked"):
        read_archive(archive)

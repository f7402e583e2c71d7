"""Unpacking a damaged archive is an error of one line, whichever module reads it."""

import zipfile
from pathlib import Path

import pytest

from charlm.data.packed.zip_member import extract
from charlm.errors import DownloadError
from charlm.progress import silent

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2}
METHODS |= {"lzma": zipfile.ZIP_LZMA}


def unpacked(tmp_path: Path, damage: bytes, offset: int, method: str) -> str:
    """The message of an error about an archive of one file with `damage` at an offset."""
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", METHODS[method]) as file:
        file.writestr("text.txt", "the cat and the dog\n" * 40)
    content = bytearray(archive.read_bytes())
    content[offset : offset + len(damage)] = damage
    archive.write_bytes(content)
    with pytest.raises(
        DownloadError, match=r"^can't unpack text\.txt from .*; delete the archive and try again$"
    ) as error:
        extract(archive, "text.txt", tmp_path / "text.txt", what="text", progress=silent)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".txt")] == []
    assert len(str(error.value)) < len(str(archive)) + 250
    return str(error.value)


@pytest.mark.parametrize("method", METHODS)
def test_damaged_data_is_an_error(tmp_path: Path, method: str) -> None:
    unpacked(tmp_path, b"\xff" * 20, 50, method)


def test_an_encrypted_file_is_an_error(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("text.txt", "x")
    start = archive.read_bytes().rindex(b"PK\x01\x02")  # the flags are in the directory, too
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[start + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(DownloadError, match="encrypted"):
        extract(archive, "text.txt", tmp_path / "text.txt", what="text", progress=silent)


def test_a_long_name_in_the_header_is_cut(tmp_path: Path) -> None:
    assert "BadZipFile" in unpacked(tmp_path, b"\xff\x03", 26, "stored")

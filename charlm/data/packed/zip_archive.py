"""The texts in a zip archive, which is read like the folder that it was made from."""

import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from charlm.data.inputs.folder import SNIFFED_BYTES, Folder, Reason, looks_like_text
from charlm.data.inputs.formats import is_plain_zip, unzip_command
from charlm.data.packed.compressed import LARGEST_RATIO, SMALL, compression_of
from charlm.data.registry import Source
from charlm.errors import CorpusError
from charlm.nouns import count_of

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others of zipfile don't bound the memory
_ENCRYPTED = 0x1


def is_zip(path: Path) -> bool:
    """Whether a path is a zip archive, and not a document of an office program, which is one too.

    Raises `OSError` for a file that can't be read.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return is_plain_zip(file)


def read_zip(path: Path, encoding: str) -> Folder:
    """Find the text files in a zip archive, by their paths, sorted as in a folder; nothing is unpacked to disk.

    Args:
        path: the archive.
        encoding: of its texts; in UTF-16 and UTF-32, text contains NUL bytes.

    Raises `CorpusError` for an archive that is damaged, encrypted, a decompression bomb, or has no text in it.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise CorpusError(_damaged(path.name, str(error))) from None
    if "" in archive.NameToInfo:
        raise CorpusError(_damaged(path.name, "a file in it has no name"))
    members = [member for member in archive.NameToInfo.values() if not (member.is_dir() or _is_hidden(member))]
    total = sum(member.file_size for member in members)
    if total > max(SMALL, LARGEST_RATIO * path.stat().st_size):
        raise CorpusError(
            f"{path.name} would grow to {count_of(total, 'byte')}, more than {LARGEST_RATIO} times its size, as a "
            f"decompression bomb does, so charlm doesn't read it; if it holds texts, unpack it "
            f"first: {unzip_command(path)}"
        )
    sources: list[Source] = []
    left_out: list[tuple[Reason, str]] = []
    for member in sorted(members, key=lambda member: PurePosixPath(member.filename)):
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            how = "encrypted" if member.flag_bits & _ENCRYPTED else "packed by an unusual method"
            raise CorpusError(
                f"{member.filename} in {path.name} is {how}, which charlm can't read; unpack the archive first: "
                f"{unzip_command(path)}"
            )
        source = _source(archive, member, path)
        with source.open() as file:
            start = file.read(SNIFFED_BYTES)
        if not start:
            left_out.append(("empty", member.filename))
        elif compression_of(start) is not None:
            left_out.append(("compressed inside the archive", member.filename))
        elif not looks_like_text(start, encoding):
            left_out.append(("not text", member.filename))
        else:
            sources.append(source)
    found = Folder(path=path, kind="zip archive", sources=tuple(sources), left_out=tuple(left_out))
    if not sources:
        why = f" (left out: {found.why_left_out()})" if left_out else ""
        raise CorpusError(f"zip archive {path} holds no text file{why}; give one with .txt, .md or other text in it")
    return found


def _source(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Source:
    return Source(
        name=member.filename, size=member.file_size, open=lambda: cast(BinaryIO, _Member(archive, member, path))
    )


def _is_hidden(member: zipfile.ZipInfo) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(member.filename).parts if part != "..")


class _Member:
    """A file of an archive as a stream; its methods raise `CorpusError` if it is damaged."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
        self._name = f"{member.filename} in {path.name}"
        try:
            self._file = archive.open(member)
        except Exception as error:
            raise CorpusError(_damaged(self._name, str(error))) from None

    def __enter__(self) -> "_Member":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except Exception as error:  # of zipfile or zlib: their errors have no common class
            raise CorpusError(_damaged(self._name, str(error))) from None

    def seek(self, offset: int) -> int:
        try:
            return self._file.seek(offset)
        except Exception as error:
            raise CorpusError(_damaged(self._name, str(error))) from None


def _damaged(name: str, reason: str) -> str:
    shown = reason.partition("\n")[0][:80] or "it ends too early"
    return f"{name} is damaged or cut short ({shown}); copy or download the archive again"

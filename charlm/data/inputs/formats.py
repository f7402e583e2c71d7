"""Formats of files that are given as texts and aren't: archives, documents and pictures.

Compressed texts and zip archives are read (`charlm.data.packed`); archives and compressed files inside them are not.
"""

import shlex
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charlm.data.packed.compressed import Unpacker, compression_of, without_suffix
from charlm.errors import CorpusError

_LONGEST_MARK = 262


@dataclass(frozen=True, slots=True)
class _Format:
    """A format that is no text."""

    name: str
    suffix: str
    command: str = ""
    """What makes a text of the file {file}; the text is {text} and, for several, in the folder {folder}."""


_ZIP = _Format("a zip archive", ".zip", "unzip -d {folder} {file}")
_ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")  # the second of one without files
_TAR, _TAR_MARK, _TAR_OFFSET = _Format("a tar archive", ".tar", "tar -xf {file}"), b"ustar", 257
_MARKS = (
    *((mark, _ZIP) for mark in _ZIP_MARKS),
    (b"7z\xbc\xaf\x27\x1c", _Format("a 7z archive", ".7z", "7z x -o{folder} {file}")),
    (b"Rar!\x1a\x07", _Format("a RAR archive", ".rar", "7z x -o{folder} {file}")),
    (b"%PDF-", _Format("a PDF document", ".pdf", "pdftotext {file} {text}")),
    (b"{\\rtf", _Format("an RTF document", ".rtf", "pandoc -t plain -o {text} {file}")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _Format("an old Office document", ".doc")),
    (b"\x89PNG\r\n\x1a\n", _Format("a picture", ".png")),
    (b"\xff\xd8\xff", _Format("a picture", ".jpg")),
    (b"SQLite format 3\0", _Format("an SQLite database", ".db")),
    (b"\x7fELF", _Format("a program", "")),
)
_IN_ZIP = (
    ("word/document.xml", _Format("a Word document", ".docx", "pandoc -t plain -o {text} {file}")),
    ("xl/workbook.xml", _Format("an Excel document", ".xlsx")),
    ("ppt/presentation.xml", _Format("a PowerPoint document", ".pptx")),
    ("META-INF/container.xml", _Format("an EPUB book", ".epub", "pandoc -t plain -o {text} {file}")),
    ("content.xml", _Format("an OpenDocument file", ".odt", "pandoc -t plain -o {text} {file}")),
)


def is_no_text(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a format that is no text."""
    return _format_of(start) is not None


def is_plain_zip(file: BinaryIO) -> bool:
    """Whether a file, at its start, is a zip archive, and not a document that is one too; it is left at its start."""
    start = file.read(_LONGEST_MARK)
    file.seek(0)
    return start.startswith(_ZIP_MARKS) and _in_zip(file) is _ZIP


def unzip_command(path: Path) -> str:
    """A command that unpacks a zip archive into a new folder."""
    return _command(_ZIP, str(path))


def require_text_format(file: BinaryIO, name: str, path: str | None = None) -> None:
    """Raise `CorpusError` for a file whose first bytes are those of a format that is no text.

    Args:
        file: at its start, where it is left again; perhaps the text of a compressed file.
        name: for the message.
        path: of the file, for the command; None is that of `file`.
    """
    found = _format_of(file.read(_LONGEST_MARK))
    file.seek(0)
    if found is None:
        return
    if isinstance(file, Unpacker):
        command = _command(found, file.path) if found is _TAR else file.compression.unpack_command(file.path)
        raise CorpusError(f"{name} contains {found.name}, not a text; unpack it first: {command}")
    path = path or getattr(file, "name", None)
    if path is None:  # standard input
        raise CorpusError(f"{name} is {found.name}, not a text; name the file instead, or make a text of it first")
    if found is _ZIP:
        found = _in_zip(file)
    command = _command(found, path)
    remedy = f"make a text of it first: {command}" if command else "save it as plain text and name that file"
    raise CorpusError(f"{name} is {found.name}, not a text; {remedy}")


def _command(form: _Format, path: str) -> str:
    """The command that makes a text of a file, or several in a folder."""
    own_name = Path(path).name
    stem = without_suffix(own_name).removesuffix(form.suffix) or "text"
    text = stem if Path(stem).suffix == ".txt" and stem != own_name else f"{stem}.txt"
    places = {"file": path, "text": text, "folder": Path(stem).stem}
    return form.command.format(**{key: shlex.quote(value) for key, value in places.items()})


def _format_of(start: bytes) -> _Format | None:
    if (compression := compression_of(start)) is not None:
        return _Format(f"data compressed by {compression.name}", compression.suffix)
    if start[_TAR_OFFSET:].startswith(_TAR_MARK):
        return _TAR
    return next((form for mark, form in _MARKS if start.startswith(mark)), None)


def _in_zip(file: BinaryIO) -> _Format:
    """What a zip archive contains."""
    try:
        names = set(zipfile.ZipFile(file).namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = set()
    file.seek(0)
    return next((form for name, form in _IN_ZIP if name in names), _ZIP)

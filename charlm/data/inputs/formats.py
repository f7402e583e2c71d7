"""Formats of files that are given as texts and aren't: archives, documents and pictures."""

import shlex
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charlm.errors import CorpusError

_LONGEST_MARK = 16


@dataclass(frozen=True, slots=True)
class _Format:
    """A format that is no text."""

    name: str
    suffix: str
    command: str = ""
    """What makes a text of the file {file}; the text is {text} and, for several, in the folder {folder}."""


_ZIP = _Format("a zip archive", ".zip", "unzip -d {folder} {file}")
_MARKS = (
    (b"PK\x03\x04", _ZIP),
    (b"\x1f\x8b", _Format("a gzip archive", ".gz", "gunzip -c {file} > {text}")),
    (b"\x28\xb5\x2f\xfd", _Format("a zstd archive", ".zst", "zstd -dc {file} > {text}")),
    (b"\xfd7zXZ\0", _Format("an xz archive", ".xz", "xz -dc {file} > {text}")),
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
_BZIP2 = _Format("a bzip2 archive", ".bz2", "bzip2 -dc {file} > {text}")
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


def require_text_format(file: BinaryIO, name: str, path: str | None = None) -> None:
    """Raise `CorpusError` for a file whose first bytes are those of a format that is no text.

    Args:
        file: at its start, where it is left again.
        name: for the message.
        path: of the file, for the command; None is that of `file`.
    """
    found = _format_of(file.read(_LONGEST_MARK))
    file.seek(0)
    if found is None:
        return
    if found is _ZIP:
        found = _in_zip(file)
    path = path or str(getattr(file, "name", name))
    own_name = Path(path).name
    stem = own_name.removesuffix(found.suffix) or "text"
    text = stem if Path(stem).suffix == ".txt" and stem != own_name else f"{stem}.txt"
    places = {"file": path, "text": text, "folder": Path(stem).stem}
    command = found.command.format(**{key: shlex.quote(value) for key, value in places.items()})
    remedy = f"make a text of it first: {command}" if command else "save it as plain text and name that file"
    raise CorpusError(f"{name} is {found.name}, not a text; {remedy}")


def _format_of(start: bytes) -> _Format | None:
    if start.startswith(b"BZh") and start[4:10] == b"1AY&SY":
        return _BZIP2
    return next((form for mark, form in _MARKS if start.startswith(mark)), None)


def _in_zip(file: BinaryIO) -> _Format:
    """What a zip archive contains."""
    try:
        names = set(zipfile.ZipFile(file).namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = set()
    file.seek(0)
    return next((form for name, form in _IN_ZIP if name in names), _ZIP)

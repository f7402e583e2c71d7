"""Texts that the page uploads: few and not too large, in the runs folder, under the titles that the user gave."""

import unicodedata
from itertools import count
from pathlib import Path

from charlm.analysis.runs.listing import file_name
from charlm.files import atomic_write
from charlm.server.errors import ConflictError, NotFoundError, RequestError
from charlm.storage.runs import RUNS

MOST_BYTES = 20_000_000
"""Size of an upload."""
MOST_UPLOADS = 20
_FOLDER = ".uploads"
_TITLE_BYTES = 80
_NOT_IN_NAMES = frozenset('/\\:*?"<>|')  # what file systems don't allow in names


def upload_names() -> list[str]:
    """The names of all uploads, the newest first."""
    paths = sorted((RUNS / _FOLDER).glob("*.txt"), key=lambda path: -path.stat().st_mtime)
    return [path.stem for path in paths if not path.name.startswith(".")]


def upload_path(name: str) -> Path:
    """The file of an upload; raises `NotFoundError` if there is none of that name."""
    if name not in upload_names():
        raise NotFoundError(f"there is no upload {name!r}; choose another text")
    return _path(name)


def text_name(argument: str) -> str:
    """The name of a text that a run was trained on: the title of an upload, or else the name of the file."""
    path = Path(argument)
    return path.stem if path.parent.name == _FOLDER else file_name(argument)


def keep_upload(title: str, content: bytes) -> str:
    """Keep a text, and return its name: the title, with a number if it is that of another text.

    Characters that a file name can't have become hyphens. Raises `RequestError` for a text that is empty or no UTF-8,
    and `ConflictError` if there are too many uploads.
    """
    try:
        is_blank = not content.decode().strip()
    except UnicodeDecodeError:
        raise RequestError("the text is not UTF-8; save it as UTF-8, or train on the file in a terminal") from None
    if is_blank:
        raise RequestError("the text is empty; paste one or choose a file")
    known = {name.casefold(): name for name in upload_names()}
    name = stem = _file_name(title)
    for number in count(2):
        if (same := known.get(name.casefold())) is None:
            break
        if _path(same).read_bytes() == content:
            return same
        name = f"{stem} ({number})"
    if len(known) >= MOST_UPLOADS:
        raise ConflictError(f"there are {MOST_UPLOADS} uploads; delete one first")
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)
    return name


def _path(name: str) -> Path:
    return RUNS / _FOLDER / f"{name}.txt"


def _file_name(title: str) -> str:
    """A title as the name of a file, without its suffix."""
    allowed = (
        "-" if character in _NOT_IN_NAMES or not character.isprintable() else character
        for character in unicodedata.normalize("NFC", title)
    )
    return "".join(allowed).encode()[:_TITLE_BYTES].decode(errors="ignore").strip(" .-") or "text"

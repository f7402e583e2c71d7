"""Texts that the page uploads: few and not too large, under names that the server makes, in the runs folder."""

import hashlib
import re
from pathlib import Path

from charlm.files import atomic_write
from charlm.server.errors import ConflictError, NotFoundError, RequestError
from charlm.storage.runs import RUNS

MOST_BYTES = 20_000_000
"""Size of an upload."""
MOST_UPLOADS = 20
_FOLDER = ".uploads"
_NAME = re.compile(r"(?P<title>[a-z0-9][a-z0-9-]{0,40})-[0-9a-f]{8}")


def upload_names() -> list[str]:
    """The names of all uploads, the newest first."""
    paths = sorted((RUNS / _FOLDER).glob("*.txt"), key=lambda path: -path.stat().st_mtime)
    return [path.stem for path in paths if _NAME.fullmatch(path.stem)]


def upload_path(name: str) -> Path:
    """The file of an upload; raises `NotFoundError` if there is none of that name."""
    path = RUNS / _FOLDER / f"{name}.txt"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFoundError(f"there is no upload {name!r}; choose another text")
    return path


def upload_title(name: str) -> str:
    """The letters of the title in the name of an upload."""
    match = _NAME.fullmatch(name)
    return match["title"] if match is not None else name


def keep_upload(title: str, content: bytes) -> str:
    """Keep a text, and return its name: the title's letters and the start of the text's hash.

    Raises `RequestError` for a text that is empty or no UTF-8, and `ConflictError` if there are too many uploads.
    """
    try:
        is_blank = not content.decode().strip()
    except UnicodeDecodeError:
        raise RequestError("the text is not UTF-8; save it as UTF-8, or train on the file in a terminal") from None
    if is_blank:
        raise RequestError("the text is empty; paste one or choose a file")
    stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "text"
    name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}"
    path = RUNS / _FOLDER / f"{name}.txt"
    if not path.exists():
        if len(upload_names()) >= MOST_UPLOADS:
            raise ConflictError(f"there are {MOST_UPLOADS} uploads; delete one first")
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    return name

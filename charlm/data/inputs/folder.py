"""The text files of a folder, and which of its files are left out and why."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from charlm.data.inputs.formats import is_no_text
from charlm.data.packed.compressed import ZSTD_EXTRA, ZstdMissingError, unpacked, without_suffix
from charlm.data.registry import Source, file_source
from charlm.errors import CorpusError
from charlm.files import CONFIG_FILE, METRICS_FILE
from charlm.nouns import count_of

Reason = Literal[
    "not text",
    "empty",
    "unreadable",
    "already read under another name",
    "compressed inside the archive",
    "compressed by zstd",
]
SNIFFED_BYTES = 8192
"""Bytes at the start of a file that decide whether it is text."""
_TEXT_BYTES = bytes({*range(32, 256), *b"\t\n\v\f\r\b\x1b"})
_MOST_CONTROLS = 0.02  # of the bytes of a text, a tenth of their share in compressed data
_RUN_FILES = {CONFIG_FILE, METRICS_FILE}
_NAMED = 3  # kinds of files, and files of each kind, that are named


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """The files below a folder, or in a zip archive."""

    path: Path
    kind: Literal["folder", "zip archive"] = "folder"
    sources: tuple[Source, ...]
    """The text files, by their paths below the folder, sorted."""
    left_out: tuple[tuple[Reason, str], ...]
    """Why other files are left out, and their paths below the folder."""

    def summary(self) -> str:
        """How many files of which kinds are read and left out, in a sentence."""
        kinds = Counter(_suffix(source.name) or "without suffix" for source in self.sources)
        shown = [f"{count:,} {kind}" for kind, count in kinds.most_common(_NAMED)]
        if (others := len(self.sources) - sum(count for _, count in kinds.most_common(_NAMED))) > 0:
            shown.append(count_of(others, "other"))
        count = count_of(len(self.sources), "file")
        left_out = f"; left out: {self.why_left_out()}" if self.left_out else ""
        return f"{self.kind} {self.path}: reading {count} ({', '.join(shown)}){left_out}"

    def why_left_out(self) -> str:
        """The files that are left out, by reason."""
        parts = []
        for reason in get_args(Reason):
            names = [name for why, name in self.left_out if why == reason]
            if names:
                parts.append(f"{len(names):,} {reason} ({', '.join(names[:_NAMED])}{', …' * (len(names) > _NAMED)})")
                parts[-1] += f", which {ZSTD_EXTRA} reads" * (reason == "compressed by zstd")
        return ", ".join(parts)


def read_folder(root: Path, encoding: str) -> Folder:
    """Find the text files below a folder, compressed or not, without hidden files and run folders.

    Args:
        root: the folder.
        encoding: of its texts; in UTF-16 and UTF-32, text contains NUL bytes.

    Raises `CorpusError` if there is no text file, or if a compressed file is damaged at its start.
    """
    sources: list[Source] = []
    left_out: list[tuple[Reason, str]] = []
    known: set[tuple[int, int]] = set()
    paths = sorted(_paths(root, left_out))
    for path in sorted(paths, key=os.path.islink):  # a file before the links to it
        name = path.relative_to(root).as_posix()
        try:
            if not path.is_file():
                continue
            status = path.stat()
            with path.open("rb") as file, unpacked(file, name) as text:
                start = text.read(SNIFFED_BYTES)
        except ZstdMissingError:
            left_out.append(("compressed by zstd", name))
            continue
        except OSError:
            left_out.append(("unreadable", name))
            continue
        if not start:
            left_out.append(("empty", name))
        elif not looks_like_text(start, encoding):
            left_out.append(("not text", name))
        elif (status.st_dev, status.st_ino) in known:
            left_out.append(("already read under another name", name))
        else:
            known.add((status.st_dev, status.st_ino))
            sources.append(file_source(path, name))
    order = {path.relative_to(root).as_posix(): index for index, path in enumerate(paths)}
    folder = Folder(
        path=root, sources=tuple(sorted(sources, key=lambda source: order[source.name])), left_out=tuple(left_out)
    )
    if not sources:
        why = f" (left out: {folder.why_left_out()})" if left_out else ""
        raise CorpusError(f"folder {root} holds no text file{why}; give a folder with .txt, .md or other text in it")
    return folder


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run."""
    return all(os.path.isfile(path / name) for name in _RUN_FILES)


def looks_like_text(start: bytes, encoding: str) -> bool:
    """Whether the first bytes of a file may be text: they have no binary format's mark, and few control characters."""
    if is_no_text(start):
        return False
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32")):
        return True
    return b"\0" not in start and len(start.translate(None, _TEXT_BYTES)) <= _MOST_CONTROLS * len(start)


def _suffix(name: str) -> str:
    """The suffix of a file's name, in lower case; of a compressed text both, as in .txt.gz."""
    inner = without_suffix(name)
    return (os.path.splitext(inner)[1] + name[len(inner) :] if inner != name else os.path.splitext(name)[1]).lower()


def _paths(root: Path, left_out: list[tuple[Reason, str]]) -> Iterator[Path]:
    """The paths of files below a folder, without hidden ones and run folders: a run must not be trained on its own
    samples. Folders that can't be read are added to `left_out`."""

    def note(error: OSError) -> None:
        left_out.append(("unreadable", f"{Path(error.filename).relative_to(root).as_posix()}/"))

    for folder, subfolders, names in os.walk(root, onerror=note):
        if set(names) >= _RUN_FILES:
            subfolders.clear()
            continue
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))

"""From a user's arguments (files, folders, standard input, registered names) to readable sources."""

import difflib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charlm.data.registry import NamedCorpus, Source, file_source, find_named, registry
from charlm.errors import CharlmError, CorpusError
from charlm.files import cache_folder, cache_path, flush
from charlm.progress import Progress, silent

TextLike = str | Path | Sequence[str | Path]
"""How a user names a text: one or several files, folders or registered names, or - for standard input."""

_SNIFFED_BYTES = 8192
_COPIES = "stdin"  # the folder of the cache for copies of standard input


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundText:
    """The sources that a list of arguments refers to."""

    name: str
    """A short name for the whole text, taken from the first argument."""
    sources: tuple[Source, ...]
    arguments: tuple[str, ...]
    """The arguments made absolute, with standard input replaced by its copy, so that they can be used again."""
    named: NamedCorpus | None
    """The registry's entry when the only argument is a registered name."""
    skipped: tuple[str, ...]
    """Files of a folder that contain no text."""


def find_sources(
    text: TextLike, *, progress: Progress = silent, stdin: BinaryIO | None = None, encoding: str = "utf-8"
) -> FoundText:
    """Resolve each argument: - for standard input, a file, a folder (its text files, sorted), or a registered name.

    A file or folder takes precedence over a registered name.

    Args:
        text: one or several files, folders, registered names or -.
        progress: called with the bytes downloaded.
        stdin: the stream that - stands for; None is the standard input of the process.
        encoding: how to decode files; in a folder, a file that can't be decoded is not text.

    Raises:
        CorpusError: an argument can't be found or read, or a folder contains no text.
        CharlmError: standard input can't be copied to the cache.
    """
    arguments = [str(text)] if isinstance(text, str | Path) else [str(part) for part in text]
    if not arguments:
        raise CorpusError("no text given; name a file, a folder, - for standard input, or one of `charlm corpora`")
    sources: list[Source] = []
    reusable: list[str] = []
    skipped: list[str] = []
    named: NamedCorpus | None = None
    for argument in arguments:
        path = Path(argument)
        if not argument:
            raise CorpusError("'' names no text; name a file, a folder (. is this one), or one of `charlm corpora`")
        if argument == "-":
            path = _copy_to_cache(stdin if stdin is not None else _standard_input())
            sources.append(file_source(path, "stdin"))
            reusable.append(str(path))
        elif os.path.isdir(path):
            folder_sources, folder_skipped = _folder_sources(path, encoding)
            sources += folder_sources
            skipped += folder_skipped
            reusable.append(str(path.resolve()))
        elif os.path.exists(path):
            if not os.access(path, os.R_OK):
                raise CorpusError(f"{argument} can't be read; check its permissions")
            _check_copy(path)
            sources.append(file_source(path))
            reusable.append(str(path.resolve()))
        elif (entry := find_named(argument)) is not None:
            named = entry
            sources += named.sources(progress)
            reusable.append(argument)
        else:
            raise CorpusError(not_found(argument))
    name = "stdin" if arguments[0] == "-" else Path(arguments[0]).resolve().name
    return FoundText(
        name=name if Path(arguments[0]).is_dir() else name.removesuffix(Path(name).suffix) or name,
        sources=tuple(sources),
        arguments=tuple(reusable),
        named=named if len(arguments) == 1 else None,
        skipped=tuple(skipped),
    )


def names_text(argument: str) -> bool:
    """Whether `find_sources` can resolve an argument."""
    return argument == "-" or (bool(argument) and os.path.exists(argument)) or find_named(argument) is not None


def not_found(argument: str) -> str:
    """The message for an argument that names no text."""
    close = difflib.get_close_matches(argument, registry(), n=1)
    hint = f"; did you mean the named corpus {close[0]}?" if close else ", and no named corpus; see `charlm corpora`"
    return f"no file or folder {argument!r}{hint}"


def _folder_sources(root: Path, encoding: str) -> tuple[list[Source], list[str]]:
    """The text files below a folder, without hidden ones, and the names of its other files."""
    sources: list[Source] = []
    skipped: list[str] = []
    for path in sorted(_files(root)):
        name = path.relative_to(root)
        try:
            with path.open("rb") as file:
                start = file.read(_SNIFFED_BYTES)
        except OSError as error:
            raise CorpusError(f"{path} can't be read: {error.strerror}") from None
        if start and (b"\0" not in start or encoding.lower().startswith(("utf-16", "utf-32"))):
            sources.append(file_source(path, name.as_posix()))
        else:
            skipped.append(name.as_posix())
    if not sources:
        raise CorpusError(f"folder {root} holds no text file; give a folder with .txt, .md or other text in it")
    return sources, skipped


def _files(root: Path) -> Iterator[Path]:
    """The files below a folder, without hidden ones and run folders: a run must not be trained on its own samples."""
    for folder, subfolders, names in os.walk(root):
        if {"config.json", "metrics.jsonl"} <= set(names):
            subfolders.clear()
            continue
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names if not name.startswith("."))
        yield from (path for path in paths if path.is_file())


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise CorpusError("- is standard input, and it is closed; pipe a text into charlm, or name a file")
    return sys.stdin.buffer


def _check_copy(path: Path) -> None:
    """Raise `CorpusError` for a damaged copy of standard input: its name is its hash."""
    if path.resolve().parent != cache_path(_COPIES).resolve():
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.stem:
            raise CorpusError(
                f"{path}, a copy of standard input, is damaged; pipe the text into charlm again to restore it, as in "
                "`charlm eval MODEL -`"
            )


def _copy_to_cache(stream: BinaryIO) -> Path:
    """Copy a stream to the cache, named by its hash: a corpus may be read more than once, a pipe can't be."""
    folder = cache_folder(_COPIES)
    digest = hashlib.sha256()
    try:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:  # removed even when reading is interrupted
            copy = Path(temporary, "copy")
            with copy.open("wb") as file:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
            flush(copy)
            return copy.replace(folder / f"{digest.hexdigest()}.txt")
    except OSError as error:
        raise CharlmError(
            f"can't keep standard input in {folder}: {error.strerror}; free some space, set CHARLM_CACHE to a folder "
            "on another disk, or name a file"
        ) from None

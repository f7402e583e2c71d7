"""From a user's arguments (files, folders, standard input, registered names) to readable sources."""

import hashlib
import os
import shlex
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from charlm.config.names import closest
from charlm.data.inputs.folder import Folder, is_run, read_folder
from charlm.data.inputs.mistakes import looks_like
from charlm.data.inputs.standard_input import SinglePassInput
from charlm.data.packed.compressed import without_suffix
from charlm.data.packed.zip_archive import is_zip, read_zip
from charlm.data.registry import NamedCorpus, Source, file_source, find_named, registry
from charlm.errors import CharlmError, CorpusError
from charlm.files import cache_folder, cache_path, flush, is_safetensors, user_path
from charlm.nouns import count_of
from charlm.progress import Progress, silent

TextLike = str | Path | Sequence[str | Path]
"""How a user names a text: one or several files, folders or registered names, or - for standard input."""

_COPIES = "stdin"  # the folder of the cache for copies of standard input
_LONGEST_NAME = 4096  # characters; no system allows longer paths


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
    folders: tuple[Folder, ...] = ()
    """The folders and zip archives among the arguments."""

    def paths(self) -> Iterator[Path]:
        """The files that the user named, also those below a folder."""
        folders = {str(folder.path.resolve()): folder for folder in self.folders if folder.kind == "folder"}
        for argument in self.arguments:
            if argument in folders:
                yield from (Path(argument, source.name) for source in folders[argument].sources)
            elif os.path.isfile(argument):
                yield Path(argument)


def find_sources(
    text: TextLike,
    *,
    progress: Progress = silent,
    stdin: BinaryIO | None = None,
    encoding: str = "utf-8",
    copies_stdin: bool = True,
) -> FoundText:
    """Resolve each argument: - for standard input, a file, a folder or a zip archive (its text files, sorted), or a
    registered name.

    A file or folder takes precedence over a registered name. Compressed files are read as their text.

    Args:
        text: one or several files, folders, registered names or -.
        progress: called with the bytes downloaded.
        stdin: the stream that - stands for; None is the standard input of the process.
        encoding: how to decode files; in a folder, a file that can't be decoded is not text.
        copies_stdin: whether to copy standard input to the cache, so that it can be read more than once.

    Raises:
        CorpusError: an argument can't be found or read, or a folder contains no text.
        CharlmError: standard input can't be copied to the cache.
    """
    arguments = _arguments(text)
    found = [
        _resolve(argument, stdin=stdin, encoding=encoding, copies_stdin=copies_stdin, progress=progress)
        for argument in arguments
    ]
    return FoundText(
        name=name_of(arguments),
        sources=tuple(source for one in found for source in one.sources),
        arguments=tuple(one.argument for one in found),
        named=found[0].named if len(found) == 1 else None,
        folders=tuple(one.folder for one in found if one.folder is not None),
    )


class _Resolved(NamedTuple):
    """What one argument names."""

    sources: Sequence[Source]
    argument: str
    """The argument made absolute, as in `FoundText.arguments`."""
    folder: Folder | None = None
    """The folder or zip archive, if it is one."""
    named: NamedCorpus | None = None


def _resolve(
    argument: str, *, stdin: BinaryIO | None, encoding: str, copies_stdin: bool, progress: Progress
) -> _Resolved:
    """What an argument names; the others are as in `find_sources`."""
    if not argument:
        raise CorpusError("'' names no text; name a file, a folder (. is this one), or one of `charlm corpora`")
    if argument == "-":
        stream = stdin if stdin is not None else _standard_input()
        if not copies_stdin:
            return _Resolved([Source(name="stdin", size=0, open=SinglePassInput(stream).open)], argument)
        copy = _copy_to_cache(stream, "standard input")
        return _in_file(copy, "stdin", str(copy), encoding)
    path = user_path(argument)
    if is_stream(argument):
        with _opened(path) as stream:
            copy = _copy_to_cache(stream, argument)
        return _in_file(copy, argument, str(copy), encoding)
    if is_safetensors(path) or is_run(path):
        raise CorpusError(
            f"{argument} is a {'run' if path.is_dir() else 'model'}, not a text; the model must come before the "
            "text, as in `charlm eval MODEL TEXT`, and a run is continued with `charlm train --resume --run NAME`"
        )
    if os.path.isdir(path):
        folder = read_folder(path, encoding)
        return _Resolved(folder.sources, str(path.resolve()), folder)
    if os.path.exists(path):
        if not os.access(path, os.R_OK):
            raise CorpusError(f"{argument} can't be read; check its permissions")
        _check_copy(path)
        return _in_file(path, path.name, str(path.resolve()), encoding)
    named = find_named(argument)
    if named is None:
        raise CorpusError(not_found(argument))
    return _Resolved(named.sources(progress), argument, named=named)


def _in_file(path: Path, name: str, argument: str, encoding: str) -> _Resolved:
    """The text of a file, or those in a zip archive."""
    try:
        if not is_zip(path):
            return _Resolved([file_source(path, name)], argument)
    except OSError as error:
        raise CorpusError(f"{name} can't be read: {error.strerror}") from None
    archive = read_zip(path, encoding)
    return _Resolved(archive.sources, argument, archive)


def name_of(text: TextLike) -> str:
    """A short name for a text, taken from its first argument, which is not read.

    It is the name of a folder, or of a file without its suffix and that of a compressed file or an archive after it.
    Raises `CorpusError` if there is no argument.
    """
    first = _arguments(text)[0]
    path = str(user_path(first)) if is_stream(first) else os.path.realpath(user_path(first))
    name = "stdin" if first == "-" else os.path.basename(path)
    if os.path.isdir(path):
        return name
    name = without_suffix(name).removesuffix(".zip") or name
    return name.removesuffix(Path(name).suffix) or name


def _arguments(text: TextLike) -> list[str]:
    arguments = [str(text)] if isinstance(text, str | Path) else [str(part) for part in text]
    if not arguments:
        raise CorpusError("no text given; name a file, a folder, - for standard input, or one of `charlm corpora`")
    return arguments


def is_stream(argument: str) -> bool:
    """Whether an argument can be read only once: - for standard input, or a pipe, such as <(command) in a shell."""
    try:
        return argument == "-" or stat.S_ISFIFO(os.stat(user_path(argument)).st_mode)
    except (OSError, ValueError):
        return False


def names_text(argument: str) -> bool:
    """Whether `find_sources` can resolve an argument."""
    is_there = bool(argument) and os.path.exists(user_path(argument))
    return argument == "-" or is_there or find_named(argument) is not None


def missing_text(arguments: Sequence[str]) -> str | None:
    """The first of the arguments of an earlier command that names no text any more; None if all are there."""
    return next((argument for argument in arguments if not names_text(argument)), None)


def not_found(argument: str) -> str:
    """The message for an argument that names no text."""
    if len(argument) > _LONGEST_NAME:
        return (
            f"no file or folder {argument[:40]!r}…, which has {count_of(len(argument), 'character')}; give the name "
            "of a file, not the text in it"
        )
    if (mistake := looks_like(argument)) is not None:
        return f"{argument!r} names no text: {mistake}"
    path = Path(argument)
    if os.path.islink(user_path(argument)):
        target = os.readlink(user_path(argument))
        return f"{argument!r} is a symbolic link to {target!r}, which leads to no file; mend the link, or name the file"
    archive = next((parent for parent in user_path(argument).parents if os.path.isfile(parent)), None)
    if archive is not None:
        member = shlex.quote(user_path(argument).relative_to(archive).as_posix())
        reading = f"unzip -p {shlex.quote(str(archive))} {member} > {shlex.quote(path.name)}"
        remedy = f"all texts in a zip archive are read together; for one alone: {reading}" if is_zip(archive) else ""
        return f"{argument!r} names no text: {archive} is a file, not a folder{'; ' * bool(remedy)}{remedy}"
    try:
        siblings = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    except (OSError, ValueError):
        siblings = []
    if (named := closest(argument, registry())) is not None:
        hint = f"; did you mean the named corpus {named}?"
    elif (sibling := closest(path.name, siblings)) is not None:
        hint = f", and no named corpus; did you mean {shlex.quote(str(path.with_name(sibling)))}?"
    else:
        hint = ", and no named corpus; see `charlm corpora`"
    return f"no file or folder {argument!r}{hint}"


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise CorpusError(f"{path} can't be read: {error.strerror}; check its permissions") from None


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


def _copy_to_cache(stream: BinaryIO, name: str) -> Path:
    """Copy a stream to the cache, named by its hash: a corpus may be read more than once, a pipe can't be.

    `name` is that of the stream, for the message.
    """
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
            f"can't keep {name} in {folder}: {error.strerror}; free some space, set CHARLM_CACHE to a folder "
            "on another disk, or name a file"
        ) from None

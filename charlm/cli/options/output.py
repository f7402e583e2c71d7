"""Files that a command writes: they may replace neither an input nor a file of the user's; a page may be opened."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from charlm.errors import ConfigError
from charlm.files import IrregularFileError, atomic_write, is_made_by_charlm, require_regular, user_path

OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing file, even one that charlm did not write.")
]

CurvesPlotOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Save a plot of the curves: .png, .svg or .pdf; needs the extra charlm-rnn\\[plots]."
    ),
]
JsonLinesOption = Annotated[bool, typer.Option("--jsonl", help="Print each result as a JSON object on a line.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print a CSV table with a header.")]

OpenOption = Annotated[bool, typer.Option("--open", help="Open the page of --html in the browser.")]


_SUFFIXES = (".html", ".npy", ".charlm")
"""Of the files that commands write; `check_plot` knows those of plots."""


def output_form(*, jsonl: bool, csv: bool) -> Literal["table", "jsonl", "csv"]:
    """The format of the results; raises `ConfigError` if two are given."""
    if jsonl and csv:
        raise ConfigError("--jsonl and --csv are two formats of the same output; give one of them")
    return "jsonl" if jsonl else "csv" if csv else "table"


def check_open(open_page: bool, page: Path | None) -> None:
    """Raise `ConfigError` if there is no page for `--open` to open."""
    if open_page and page is None:
        raise ConfigError("--open opens the page that --html writes, and --html is missing; add --html FILE")


def output_path(
    path: Path,
    option: str,
    *,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
    has_mark: bool = True,
) -> Path:
    """The path of a file to write, with ~ expanded.

    Args:
        path: as the user gave it.
        option: the option that gives it, for messages.
        inputs: files and folders that the command reads; names of nothing on disk are ignored.
        overwrite: allow replacing a file that charlm did not write.
        has_mark: whether charlm marks files of this kind as its own; without a mark, none is replaced.

    Raises `ConfigError` if there is no folder to write to, or if the file would replace one that it may not replace,
    or a device, a pipe or a symbolic link.
    """
    path = user_path(path)
    if path == Path():
        raise ConfigError(f"{option} is empty, or '.', the current folder; give a file name")
    if path == Path("-"):
        raise ConfigError(f"{option} is '-', and this file can't go to standard output; give a file name")
    if path.name.lower() in _SUFFIXES:
        raise ConfigError(f"{option} is {str(path)!r}, which is only a suffix; give a name before it")
    if os.path.isdir(path):
        raise ConfigError(f"{option} is {str(path)!r}, which is a folder; give a file name")
    if not os.path.isdir(path.parent):
        raise ConfigError(f"{option} is {str(path)!r}, but there is no folder {str(path.parent)!r}; create it first")
    try:
        path.lstat()
    except FileNotFoundError:
        return path
    except OSError as error:  # such as a name that is too long
        raise ConfigError(f"{option} is {str(path)!r}: {error.strerror}; give another file name") from None
    for source in inputs:
        if source is not None and _holds(user_path(source), path):
            raise ConfigError(f"{option} is {str(path)!r}, which is also an input; choose another file")
    try:
        require_regular(path)  # writing renames a file to this path, which would remove a device, a pipe or a link
    except IrregularFileError as error:
        raise ConfigError(f"{option} is {str(path)!r}, which {error.strerror}; give another file name") from None
    if not overwrite and not (has_mark and is_made_by_charlm(path)):
        foreign = " and doesn't appear to have been written by charlm" if has_mark else ""
        raise ConfigError(
            f"{option} is {str(path)!r}, which already exists{foreign}; choose another file, or replace it with "
            "--overwrite"
        )
    return path


def write_page(path: Path, page: str, *, open_page: bool) -> None:
    """Write an HTML page, say so on stderr, and open it in the default browser if `open_page`."""
    import webbrowser

    from charlm.cli.ui.console import note, stderr

    atomic_write(path, page.encode())
    stderr().print(f"wrote {path}", soft_wrap=True)
    if open_page and not webbrowser.open(path.resolve().as_uri()):
        note(f"found no browser to open {path}; set the environment variable BROWSER to one")


def _holds(source: Path, path: Path) -> bool:
    """Whether an existing file is this input, or lies in this folder."""
    if os.path.isdir(source):
        return Path(os.path.realpath(path)).is_relative_to(
            os.path.realpath(source)
        )  # `resolve` refuses a loop of links
    return os.path.exists(source) and os.path.exists(path) and os.path.samefile(source, path)

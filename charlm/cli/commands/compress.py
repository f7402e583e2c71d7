"""`charlm compress` and `charlm decompress`: files made smaller by a model."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from charlm.cli.options.completion import complete_model
from charlm.cli.options.models import load_model
from charlm.cli.options.output import output_path
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ArchiveError, ConfigError, CorpusError
from charlm.files import atomic_write, user_path
from charlm.nouns import count_of

SUFFIX = ".charlm"
"""The end of the name of an archive."""

OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


def _model_option(text: str, default: str) -> Any:
    return typer.Option(
        "--model", "-m", metavar="MODEL", autocompletion=complete_model, help=text, show_default=default
    )


def compress(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file, of any kind, or - for standard input.")],
    model: Annotated[str | None, _model_option("Model file, run folder or name of a run.", "the newest run")] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="OUT", help="The archive, or - for standard output.", show_default="FILE.charlm"
        ),
    ] = None,
    dynamic: Annotated[
        bool,
        typer.Option(
            "--dynamic",
            help="Let the model learn while it compresses: the archive is smaller, takes longer, and can be "
            "decompressed on this machine only.",
        ),
    ] = False,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Put the model into the archive, which then needs no other file.")
    ] = False,
    portable: Annotated[
        bool | None,
        typer.Option(
            "--portable/--no-portable",
            help="Whether any machine, with any number of threads, can decompress the archive.",
            show_default="--portable, unless --dynamic or the model is a transformer",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Compress a file with a model's predictions.

    The better the model predicts the text, the smaller the archive: it takes as many bits as `charlm eval` reports.
    Any file can be compressed, and `charlm decompress` restores it exactly, with the same model.

    Examples:
      [bold]charlm compress letter.txt[/bold]                      letter.txt.charlm, by the newest run
      [bold]charlm compress letter.txt --model novel --dynamic[/bold]
      [bold]charlm compress letter.txt --self-contained -o letter.charlm[/bold]
    """
    from charlm.cli.ui.console import Bars, note, print_json, stderr
    from charlm.cli.ui.numbers import thousands
    from charlm.compression import compress as compress_bytes

    use_threads(threads)
    data = _read(file)
    loaded = load_model(model)
    path = _output(out, file, f"{file}{SUFFIX}", inputs=(file, loaded.path), json=json, overwrite=overwrite)
    with Bars(stderr()) as progress:
        archive = compress_bytes(
            data, loaded, portable=portable, dynamic=dynamic, self_contained=self_contained, progress=progress
        )
    _write(archive, path)
    if not data:
        note(f"{'standard input' if file == '-' else file} is empty")
    characters = len(data.decode("utf-8", "replace"))
    figures = {
        "file": file,
        "archive": "-" if path is None else str(path),
        "model": str(loaded.path),
        "bytes": len(data),
        "characters": characters,
        "compressed_bytes": len(archive),
        "ratio": len(data) / len(archive),
        "bits_per_character": 8 * len(archive) / characters if characters else None,
        "bits_per_byte": 8 * len(archive) / len(data) if data else None,
    }
    if json:
        print_json(figures)
        return
    line = f"{thousands(len(data))} -> {count_of(len(archive), 'byte')}, ratio {len(data) / len(archive):.2f}"
    if characters:
        line += f", {8 * len(archive) / characters:.3f} bits per character, {8 * len(archive) / len(data):.3f} per byte"
    stderr().print(f"wrote {figures['archive']}: {line}", soft_wrap=True)


def decompress(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The archive, or - for standard input.")],
    model: Annotated[
        str | None,
        _model_option(
            "The model that the archive was made with: model file, run folder or name of a run.",
            "the one in the archive, or else the newest run",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="OUT",
            help="The file to write, or - for standard output.",
            show_default="FILE without .charlm",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Restore a compressed file exactly.

    Every block and the whole file are checked before anything is written.

    Examples:
      [bold]charlm decompress letter.txt.charlm[/bold]
      [bold]charlm decompress letter.txt.charlm --model novel -o -[/bold]
    """
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.cli.ui.numbers import thousands
    from charlm.compression import decompress as decompress_bytes
    from charlm.compression.archive import read_archive

    default = file.removesuffix(SUFFIX)
    if out is None and os.path.basename(file) == SUFFIX:
        raise ConfigError(f"{file} is only the suffix {SUFFIX}, so its result has no name; give one with -o")
    if out is None and default == file not in ("", "-"):
        raise ConfigError(f"{file} doesn't end with {SUFFIX}, so its result has no name; give one with -o")
    use_threads(threads)
    archive = _read(file)
    try:
        header, _ = read_archive(archive)
        loaded = load_model(model) if model is not None or header.own_model is None else None
        inputs = (file, None if loaded is None else loaded.path)
        path = _output(out, file, default, inputs=inputs, json=json, overwrite=overwrite)
        with Bars(stderr()) as progress:
            data = decompress_bytes(archive, loaded, progress=progress)
    except ArchiveError as error:
        raise ArchiveError(f"{'standard input' if file == '-' else file}: {error}") from None
    _write(data, path)
    name = "-" if path is None else str(path)
    if json:
        print_json({"archive": file, "file": name, "compressed_bytes": len(archive), "bytes": len(data)})
    else:
        stderr().print(f"wrote {name}: {thousands(len(archive))} -> {count_of(len(data), 'byte')}", soft_wrap=True)


def _output(
    out: str | None, source: str, default: str, *, inputs: Iterable[str | Path | None], json: bool, overwrite: bool
) -> Path | None:
    """The path to write; None for standard output."""
    if (name := ("-" if source == "-" else default) if out is None else out) == "-":
        if json:
            raise ConfigError("--json and the result both go to standard output; give a file with -o")
        if sys.__stdout__ is None:
            raise ConfigError("the result goes to standard output, which is closed; give a file with -o")
        if sys.stdout.isatty():
            raise ConfigError("the result is binary, and standard output is a terminal; give a file with -o")
        return None
    option = "without -o, the result" if out is None else "--out"
    path = output_path(Path(name), option, inputs=inputs, overwrite=True)
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{name} already exists; choose another file with -o, or replace it with --overwrite")
    return path


def _read(file: str) -> bytes:
    if file == "-":
        if sys.stdin is None:
            raise CorpusError("standard input is closed; name a file instead of -")
        return sys.stdin.buffer.read()
    path = user_path(file)
    if not file:
        raise CorpusError("the name of the file is empty; give the name of one")
    if os.path.isdir(path):
        raise CorpusError(f"{file} is a folder; name a file, such as an archive of the folder made with tar")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"there is no file {file!r}; check the name") from None
    except OSError as error:
        raise CorpusError(f"{file} can't be read: {error.strerror}") from None


def _write(content: bytes, path: Path | None) -> None:
    if path is not None:
        atomic_write(path, content)
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()

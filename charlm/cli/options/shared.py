"""Options that several commands share, and the conversion of option texts into values."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from charlm.cli.options.completion import complete_model, complete_text
from charlm.config import CorpusOptions, SplitName, check_range
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.text_model import TextModel

TEXT, LABELS = "Text", "Labels"

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        autocompletion=complete_model,
        help="Model file, run folder or name of a run.",
        show_default="the newest run, or the bundled model if there is none",
    ),
]
TextArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TEXT...]",
        autocompletion=complete_text,
        help="Files, folders or zip archives (all text files in them), '-' for standard input, or names listed by "
        "`charlm corpora`. Files may be compressed: .gz, .bz2, .xz, .zst.",
        show_default=False,
    ),
]


def _documents(default: str) -> Any:
    return typer.Option(
        metavar="KIND",
        help="What one document is: a file, a line, or a paragraph (separated by blank lines). The state is reset at "
        "the start of every document, and the model learns where documents end.",
        show_default=default,
        rich_help_panel=TEXT,
    )


def _encoding(default: str) -> Any:
    return typer.Option(
        help="Encoding of the text, any that Python supports.", show_default=default, rich_help_panel=TEXT
    )


def _errors(default: str) -> Any:
    return typer.Option(
        metavar="ACTION",
        help="How to treat undecodable bytes: strict (an error that gives the offset) or replace (with U+FFFD).",
        show_default=default,
        rich_help_panel=TEXT,
    )


_AS_TRAINED = "as in the model's training"


def _text_column(default: str) -> Any:
    return typer.Option(
        metavar="COLUMN",
        help="The column with the texts, if TEXT is a table (CSV, TSV or JSON Lines); each record is a document.",
        show_default=default,
        rich_help_panel=TEXT,
    )


TextColumnOption = Annotated[str | None, _text_column("the file is read as it is")]
ScoredTextColumnOption = Annotated[str | None, _text_column(_AS_TRAINED)]
_PAIRS = "Pairs"


def _pair_column(name: str, does: str, default: Any) -> Any:
    return typer.Option(
        metavar="COLUMN",
        help=f"The column of a table with the {name}, {does}; each record is a pair.",
        show_default=default,
        rich_help_panel=_PAIRS,
    )


SourceColumnOption = Annotated[str | None, _pair_column("sources", "which the model reads", False)]
TargetColumnOption = Annotated[str | None, _pair_column("targets", "which the model learns to write", False)]
ScoredSourceColumnOption = Annotated[str | None, _pair_column("sources", "which the model reads", _AS_TRAINED)]
ScoredTargetColumnOption = Annotated[str | None, _pair_column("targets", "which are scored", _AS_TRAINED)]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Label of the text, such as stars=5, or a mixture, such as author=Austen:0.5,Melville:0.5. Repeatable, "
        "once for each label of the model.",
        rich_help_panel=LABELS,
    ),
]
NoLabelsOption = Annotated[
    bool, typer.Option("--no-labels", help="Score as if no document had labels.", rich_help_panel=LABELS)
]
DocumentsOption = Annotated[
    Literal["file", "line", "paragraph"] | None, _documents("file, unless a named corpus sets it")
]
ScoredDocumentsOption = Annotated[Literal["file", "line", "paragraph"] | None, _documents(_AS_TRAINED)]
SeparatorOption = Annotated[
    str | None,
    typer.Option(
        help=r"Text that separates documents, such as '\n%%\n'. Escapes: \n (any line end: LF, CRLF or CR), \r, \t and "
        r"\\.",
        rich_help_panel=TEXT,
    ),
]
EncodingOption = Annotated[str | None, _encoding("utf-8")]
ScoredEncodingOption = Annotated[str | None, _encoding(_AS_TRAINED)]
ErrorsOption = Annotated[str | None, _errors("strict")]
ScoredErrorsOption = Annotated[str | None, _errors(_AS_TRAINED)]
SplitOption = Annotated[
    SplitName | None,
    typer.Option(
        metavar="NAME",
        help="Score only this split: train, valid or test.",
        show_default="test, or valid if there is no test split",
    ),
]
ThreadsOption = Annotated[int, typer.Option(help="CPU threads.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def use_threads(threads: int) -> None:
    """Let torch compute with this many threads; raises `ConfigError` unless --threads is 1 to 1024."""
    check_range("--threads", threads, 1, 1024)
    import torch

    torch.set_num_threads(threads)


def with_labels(model: "TextModel", label: list[str] | None, *, no_labels: bool) -> "TextModel":
    """The model for texts with the labels of --label, or without any; raises `ConfigError` for an unknown label."""
    if label and no_labels:
        raise ConfigError("--label and --no-labels contradict each other; pass one of them")
    return model.with_labels(*(label or ())) if label or no_labels else model


def without_none(**options: Any) -> dict[str, Any]:
    """The options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def unescape(text: str, option: str) -> str:
    r"""Replace \n, \r, \t and \\ by the characters they stand for; raises `ConfigError` for any other escape."""
    known = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    result = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            if following not in known:
                raise ConfigError(rf"{option} contains \{following}; the only escapes are \n, \r, \t and \\")
            character = known[following]
        result += character
    return result


def memory_size(option: str, text: str) -> int:
    """The bytes of a size such as 500MB or 2GB, in powers of 1,000; raises `ConfigError` for another text."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ?([MG])i?B?", text.strip(), re.ASCII | re.IGNORECASE)
    size = 0 if match is None else round(float(match[1]) * {"M": 10**6, "G": 10**9}[match[2].upper()])
    if size < 10_000_000:
        raise ConfigError(f"{option} is {text!r}; give a size from 10MB up, such as 500MB or 2GB")
    return size


def parse_splits(text: str) -> tuple[float, ...]:
    """90/5/5 as three numbers; `CorpusConfig` checks their range."""
    try:
        return tuple(float(part) for part in text.split("/"))
    except ValueError:
        raise ConfigError(f"--splits is {text!r}; give three percentages, such as 90/5/5") from None


def corpus_options(
    documents: str | None = None,
    separator: str | None = None,
    splits: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    direction: str | None = None,
    text_column: str | None = None,
    source_column: str | None = None,
    target_column: str | None = None,
) -> CorpusOptions:
    """The options that were given, as fields of `CorpusConfig`."""
    values = without_none(documents=documents, encoding=encoding, errors=errors, direction=direction)
    if text_column is not None:
        if documents is not None or separator is not None:
            raise ConfigError(
                "--text-column makes each record of a table a document; leave out --documents and --separator"
            )
        values["text_column"] = text_column
    pairs = without_none(source_column=source_column, target_column=target_column)
    if pairs and (documents is not None or separator is not None or text_column is not None):
        raise ConfigError(
            "--source-column and --target-column make each record of a table a pair; leave out --documents, "
            "--separator and --text-column"
        )
    values |= pairs
    if separator is not None:
        if documents is not None:
            raise ConfigError("--separator and --documents both define what a document is; give one of them")
        values |= {"separator": unescape(separator, "--separator"), "documents": "separator"}
    if splits is not None:
        values["splits"] = parse_splits(splits)
    return cast(CorpusOptions, values)

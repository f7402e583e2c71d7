"""Options that several commands share, and how their texts become values."""

from typing import Annotated, Any, Literal, cast

import typer

from charlm.config import CorpusOptions
from charlm.errors import ConfigError

TEXT = "Text"

TextArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT...",
        help="Files, folders (all text files below them), - for standard input, or names from `charlm corpora`.",
        show_default=False,
    ),
]
DocumentsOption = Annotated[
    Literal["file", "line", "paragraph"] | None,
    typer.Option(
        help="What one document is: each file, each line, or each paragraph (blank lines between). The model begins "
        "every document with an empty past and learns where documents end.",
        show_default="file, or what the named corpus says",
        rich_help_panel=TEXT,
    ),
]
SeparatorOption = Annotated[
    str | None,
    typer.Option(
        help=r"Text that stands between documents, such as '\n%%\n'; \n, \r, \t and \\ are understood.",
        rich_help_panel=TEXT,
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(help="Encoding of the text, any that Python knows.", show_default="utf-8", rich_help_panel=TEXT),
]
ErrorsOption = Annotated[
    str | None,
    typer.Option(
        help="What bytes that don't decode do: strict (an error with the offset) or replace (they become U+FFFD).",
        show_default="strict",
        rich_help_panel=TEXT,
    ),
]
ThreadsOption = Annotated[int, typer.Option(help="CPU threads.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout, for programs.")]


def without_none(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def unescape(text: str, option: str) -> str:
    r"""`text` with \n, \r, \t and \\ as the characters they stand for; raises `ConfigError` for any other escape."""
    known = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    result = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            if following not in known:
                raise ConfigError(rf"{option} has \{following}; only \n, \r, \t and \\ are understood")
            character = known[following]
        result += character
    return result


def parse_splits(text: str) -> tuple[float, ...]:
    """90/5/5 as three numbers; their range is `CorpusConfig`'s to check."""
    try:
        return tuple(float(part) for part in text.split("/"))
    except ValueError:
        raise ConfigError(f"--splits is {text!r}; give three shares in per cent such as 90/5/5") from None


def corpus_options(
    documents: str | None = None,
    separator: str | None = None,
    splits: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    direction: str | None = None,
) -> CorpusOptions:
    """The fields of `CorpusConfig` that were given."""
    values = without_none(documents=documents, encoding=encoding, errors=errors, direction=direction)
    if separator is not None:
        if documents is not None:
            raise ConfigError("--separator and --documents both say what a document is; give one of them")
        values |= {"separator": unescape(separator, "--separator"), "documents": "separator"}
    if splits is not None:
        values["splits"] = parse_splits(splits)
    return cast(CorpusOptions, values)

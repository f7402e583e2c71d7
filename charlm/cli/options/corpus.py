"""The options that say how a text is read, split and labelled: the help panels Text and Labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from charlm.cli.options.completion import complete_text
from charlm.cli.options.shared import given, option, unescape
from charlm.config import CorpusOptions, ReadingDirection, SplitName, option_of
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.text_model import TextModel

TEXT, LABELS = "Text", "Labels"
_AS_TRAINED = "as in the model's training"

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


def _text_column(default: str) -> Any:
    return typer.Option(
        metavar="COLUMN",
        help="The column with the texts, if TEXT is a table (CSV, TSV or JSON Lines); each record is a document.",
        show_default=default,
        rich_help_panel=TEXT,
    )


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
PAIRS = "Pairs"


def _pair_column(name: str, does: str, default: Any) -> Any:
    return typer.Option(
        metavar="COLUMN",
        help=f"The column of a table with the {name}, {does}; each record is a pair.",
        show_default=default,
        rich_help_panel=PAIRS,
    )


SourceColumnOption = Annotated[str | None, _pair_column("sources", "which the model reads", False)]
TargetColumnOption = Annotated[str | None, _pair_column("targets", "which the model learns to write", False)]
ScoredSourceColumnOption = Annotated[str | None, _pair_column("sources", "which the model reads", _AS_TRAINED)]
ScoredTargetColumnOption = Annotated[str | None, _pair_column("targets", "which are scored", _AS_TRAINED)]
TextColumnOption = Annotated[str | None, _text_column("the file is read as it is")]
ScoredTextColumnOption = Annotated[str | None, _text_column(_AS_TRAINED)]
SplitOption = Annotated[
    SplitName | None,
    typer.Option(
        metavar="NAME",
        help="Score only this split: train, valid or test.",
        show_default="test, or valid if there is no test split",
    ),
]

SplitsOption = Annotated[
    str | None,
    option(
        "Percentages of the text for training, validation and test, in this order.",
        "90/5/5, unless a named corpus sets it",
        TEXT,
    ),
]
ValidOption = Annotated[
    list[str] | None,
    option(
        "Text to use as the entire validation split, such as a benchmark's official one: a file, a folder or a corpus "
        "name. Repeatable.",
        "a share of TEXT, or the official split of a named corpus",
        TEXT,
        metavar="FILE",
    ),
]
TestOption = Annotated[
    list[str] | None,
    option(
        "The same for the test split, which is not read until `charlm eval`.",
        "a share of TEXT, or the official split of a named corpus",
        TEXT,
        metavar="FILE",
    ),
]
DirectionOption = Annotated[
    ReadingDirection | None,
    option(
        "Reading direction: forward, or backward (from the end to the beginning), which `charlm fill` needs.",
        "forward",
        TEXT,
        metavar="NAME",
    ),
]
LabelColumnOption = Annotated[
    list[str] | None,
    option(
        "A column of the table whose values are labels: the model learns how texts of each value differ. Repeatable.",
        False,
        LABELS,
        metavar="COLUMN",
    ),
]
LabelFilesOption = Annotated[
    str | None,
    option(
        "Use the name of each file, without its suffix, as the label NAME of its text.", False, LABELS, metavar="NAME"
    ),
]
LabelFoldersOption = Annotated[
    str | None,
    option("Use the name of each sub-folder as the label NAME of its texts.", False, LABELS, metavar="NAME"),
]
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


def with_labels(model: "TextModel", label: list[str] | None, *, no_labels: bool) -> "TextModel":
    """The model for texts with the labels of --label, or without any; raises `ConfigError` for an unknown label."""
    if label and no_labels:
        raise ConfigError("--label and --no-labels contradict each other; pass one of them")
    return model.with_labels(*(label or ())) if label or no_labels else model


def parse_splits(text: str) -> tuple[float, ...]:
    """90/5/5 as three numbers; `CorpusConfig` checks their range."""
    try:
        return tuple(float(part) for part in text.split("/"))
    except ValueError:
        raise ConfigError(f"--splits is {text!r}; give three percentages, such as 90/5/5") from None


def corpus_options(context: typer.Context) -> CorpusOptions:
    """The options of a command that say how a text is read, as far as the user has given them.

    Raises `ConfigError` for options that contradict each other.
    """
    values = given(context, CorpusOptions.__annotations__)
    if "text_column" in values and values.keys() & {"documents", "separator"}:
        raise ConfigError(
            "--text-column makes each record of a table a document; leave out --documents and --separator"
        )
    has_pairs = values.keys() & {"source_column", "target_column"}
    if has_pairs and values.keys() & {"documents", "separator", "text_column"}:
        raise ConfigError(
            "--source-column and --target-column make each record of a table a pair; leave out --documents, "
            "--separator and --text-column"
        )
    if "separator" in values:
        if "documents" in values:
            raise ConfigError("--separator and --documents both define what a document is; give one of them")
        values |= {"separator": unescape(values["separator"], "--separator"), "documents": "separator"}
    if "splits" in values:
        values["splits"] = parse_splits(values["splits"])
    if "label_column" in values:
        values["label_column"] = tuple(values["label_column"])
    return cast(CorpusOptions, values)


def options_of_texts(context: typer.Context, texts: Sequence[str]) -> CorpusOptions:
    """`corpus_options` of a command that scores the model's own text without any other.

    Raises `ConfigError` also for options without a text that they could apply to.
    """
    settings = corpus_options(context)
    if settings and not texts:
        passed = " and ".join(map(option_of, given(context, CorpusOptions.__annotations__)))
        raise ConfigError(f"{passed} can only be used with a TEXT; add one")
    return settings

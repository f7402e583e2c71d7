"""The options of `charlm sample` that say what a text must be like."""

from typing import Annotated

import typer

PANEL = "Constraints on what is written after the prefix"

PatternOption = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="The text matches this regular expression from first to last. Needs outlines-core: pip install "
        "'charlm-rnn\\[pattern]'.",
        rich_help_panel=PANEL,
    ),
]
JsonSchemaOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The text is JSON that satisfies this JSON schema. Needs outlines-core: pip install "
        "'charlm-rnn\\[pattern]'.",
        rich_help_panel=PANEL,
    ),
]
WordsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Write only words of this file, which has one word per line; any case, white space and punctuation.",
        rich_help_panel=PANEL,
    ),
]
MustContainOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="Write these words somewhere, where the model finds them likely. Repeatable. "
        r"Escapes: \n, \r, \t and \\.",
        rich_help_panel=PANEL,
    ),
]
AcrosticOption = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="The lines begin with the letters of this text, in either case.",
        rich_help_panel=PANEL,
    ),
]
SyllablesOption = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS",
        help="Write lines of so many syllables, 5/7/5 or one number for all lines, in English. Downloads a "
        "pronouncing dictionary once.",
        rich_help_panel=PANEL,
    ),
]
RhymeOption = Annotated[
    str,
    typer.Option(
        metavar="SCHEME",
        help="With --syllables: lines with the same letter rhyme, and those of letters that recur do with no other, "
        "as in ABAB.",
        rich_help_panel=PANEL,
    ),
]
LinesOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Write exactly N lines, without counting blank ones.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

"""The options of `charlm sample` that say what a text must be like."""

from typing import Annotated

import typer

PANEL = "Constraints on what is written after the prefix"

PatternOption = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="The whole text matches this regular expression. Needs outlines-core: pip install "
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
        help="Write only words of this file, which has one word per line. The model chooses case, white space and "
        "punctuation.",
        rich_help_panel=PANEL,
    ),
]
MustContainOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="Write this text somewhere, as whole words, where the model finds it likely. Repeatable. "
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
        help="The number of syllables of each line, such as 5/7/5, or one number for all lines; English only. The "
        "first use downloads a pronouncing dictionary.",
        rich_help_panel=PANEL,
    ),
]
RhymeOption = Annotated[
    str,
    typer.Option(
        metavar="SCHEME",
        help="With --syllables: a letter for each line, such as ABAB. Lines with the same letter rhyme; lines with "
        "different letters that are both repeated don't.",
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

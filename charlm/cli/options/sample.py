"""The options of `charlm sample`, in groups."""

from typing import Annotated, Literal

import typer

from charlm.config import Unknown

PREFIX, CONTROLS, ENDS, MANY = "Prefix", "Controls", "Where a text ends", "Many texts"

PrefixOption = Annotated[
    str,
    typer.Option(
        help="What the text begins with; the model reads it first, and it is part of the output. - reads it from "
        "standard input, its last line end left out.",
        rich_help_panel=PREFIX,
    ),
]
PrefixFileOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Read the prefix from a file, its last line end left out.", rich_help_panel=PREFIX
    ),
]
PrefixInOutputOption = Annotated[bool, typer.Option(help="Write the prefix, too.", rich_help_panel=PREFIX)]
UnknownOption = Annotated[
    Unknown,
    typer.Option(
        help="A prefix character that the model doesn't know: error, nearest (read é as e, “ as \"), skip (leave it "
        "out) or replace (read it as <unk>).",
        rich_help_panel=PREFIX,
    ),
]
TemperatureOption = Annotated[
    str,
    typer.Option(
        metavar="NUMBER",
        help="Softmax temperature: below 1 safer, above 1 wilder, 0 always the likeliest token. 0.5..1.2 goes from one "
        "to the other over the length; 0.5,0.7,1.0 turns from token to token.",
        rich_help_panel=CONTROLS,
    ),
]
TopKOption = Annotated[int, typer.Option(help="Keep the k likeliest tokens; 0 keeps all.", rich_help_panel=CONTROLS)]
TopPOption = Annotated[
    float,
    typer.Option(
        help="Keep the fewest likeliest tokens that have this probability together; 1 keeps all.",
        rich_help_panel=CONTROLS,
    ),
]
MinPOption = Annotated[
    float,
    typer.Option(
        help="Keep the tokens at least this share as likely as the likeliest; 0 keeps all.", rich_help_panel=CONTROLS
    ),
]
TypicalOption = Annotated[
    float,
    typer.Option(
        help="Keep the tokens that are about as surprising as is to be expected, the fewest that have this probability "
        "together; 1 keeps all.",
        rich_help_panel=CONTROLS,
    ),
]
RepetitionPenaltyOption = Annotated[
    float,
    typer.Option(
        help="Raise the probability of the last 64 tokens to this power; 1 leaves it.", rich_help_panel=CONTROLS
    ),
]
BiasOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT=NATS",
        help=r"Make a character (or any text that is one token) likelier or rarer, as in 'e=-2' or '\n=+1'; may be "
        "repeated.",
        rich_help_panel=CONTROLS,
    ),
]
BanOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help=r"Never write this text; may be repeated. \n, \r, \t and \\ are understood.",
        rich_help_panel=CONTROLS,
    ),
]
NoCopyOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Never write more than N characters in a row that stand verbatim in the training text, the prefix "
        "counted; 0 allows any.",
        rich_help_panel=CONTROLS,
    ),
]
BeamOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Search for the most probable text instead, keeping the N best beginnings; --num writes the best of them.",
        show_default=False,
        rich_help_panel=CONTROLS,
    ),
]
LengthOption = Annotated[
    int | None,
    typer.Option(help="Most characters to write after the prefix.", show_default="500", rich_help_panel=ENDS),
]
UntilEosOption = Annotated[
    bool,
    typer.Option(
        "--until-eos",
        help="Write until the model ends the document, a million characters at most.",
        rich_help_panel=ENDS,
    ),
]
MinLengthOption = Annotated[
    int,
    typer.Option(
        help="Characters before which the model can't end the document and --stop is passed over.",
        rich_help_panel=ENDS,
    ),
]
StopOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help=r"Stop before this text would be written; may be repeated. \n, \r, \t and \\ are understood.",
        rich_help_panel=ENDS,
    ),
]
NumOption = Annotated[int, typer.Option(help="How many texts to write.", rich_help_panel=MANY)]
BatchOption = Annotated[
    int, typer.Option(help="How many to write side by side; the texts are the same.", rich_help_panel=MANY)
]
UniqueOption = Annotated[
    bool, typer.Option("--unique", help="Leave out a text that was written before.", rich_help_panel=MANY)
]
SortOption = Annotated[
    Literal["seed", "score"],
    typer.Option(help="The order: by seed, or by bits per character, fewest first.", rich_help_panel=MANY),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Of the random choices; text k uses seed + k. The same seed writes the same.",
        show_default="any",
        rich_help_panel=MANY,
    ),
]
JsonLinesOption = Annotated[
    bool,
    typer.Option(
        "--jsonl",
        help="Print one JSON object for each text, a line each: the text, its log-probability in nats, bits per "
        "character, and why it ended; with --show-probs the log-probability of each character, too.",
    ),
]
ShowProbsOption = Annotated[
    bool, typer.Option("--show-probs", help="Colour each character by the probability that the model gave it.")
]
InteractiveOption = Annotated[
    bool,
    typer.Option(
        "--interactive",
        "-i",
        help="Write together with the model: it shows the likeliest next tokens, and you pick one, type, or go back.",
    ),
]
CheckpointsOption = Annotated[
    bool,
    typer.Option(
        "--checkpoints",
        help="Show instead what the run wrote at each validation while it learnt, with its validation then.",
    ),
]
CopyCheckOption = Annotated[
    bool,
    typer.Option(
        "--copy-check",
        help="Underline what stands verbatim in the training text, and tell the longest stretch and the share copied.",
    ),
]
CopyLengthOption = Annotated[
    int, typer.Option(metavar="N", help="Characters of the shortest stretch that --copy-check counts.")
]
SteerOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=STRENGTH",
        help="Hold the state while writing: a direction that `charlm probe` found, at a strength (sentiment=+2: 1 is "
        "plainly felt, 4 is too much), or a unit at a value (0:12=1.5, its cell state 0:12:c=1.5); may be repeated.",
        rich_help_panel=CONTROLS,
    ),
]
CompareSteerOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Write each text twice from the same seed, with the direction held above and below its mean, side by "
        "side; NAME=3 for another strength than 2.",
        show_default=False,
        rich_help_panel=MANY,
    ),
]
AdaptOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Learn from this text first, as `charlm eval --dynamic` does; the model file stays as it is.",
        rich_help_panel=CONTROLS,
    ),
]
ThreadsOption = Annotated[int, typer.Option(help="CPU threads; a single text is written fastest with one.")]

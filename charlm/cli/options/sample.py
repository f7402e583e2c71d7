"""The options of `charlm sample`, by help panel."""

from typing import Annotated, Literal

import typer

from charlm.cli.options.completion import complete_direction, complete_steer
from charlm.config import Unknown

PREFIX, CONTROLS, ENDS, MANY = "Prefix", "Controls", "End of a text", "Several texts"

PrefixOption = Annotated[
    str,
    typer.Option(
        "--prefix",
        "-p",
        help="How the text begins; the model reads the prefix before it writes. '-' reads it from standard input, "
        "without the trailing newline.",
        rich_help_panel=PREFIX,
    ),
]
PrefixFileOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Read the prefix from a file, without the trailing newline.", rich_help_panel=PREFIX
    ),
]
PrefixInOutputOption = Annotated[bool, typer.Option(help="Print the prefix before the text.", rich_help_panel=PREFIX)]
UnknownOption = Annotated[
    Unknown,
    typer.Option(
        metavar="ACTION",
        help="How to treat a prefix character the model doesn't know: error, nearest (read é as e, “ as \"), skip "
        "or replace (read it as <unk>).",
        rich_help_panel=PREFIX,
    ),
]
TemperatureOption = Annotated[
    str,
    typer.Option(
        "--temperature",
        "--temp",
        "-t",
        metavar="NUMBER",
        help="Softmax temperature: below 1 safer, above 1 wilder, 0 always the most likely token. 0.5..1.2 moves from "
        "one to the other over the length; 0.5,0.7,1.0 cycles from token to token.",
        rich_help_panel=CONTROLS,
    ),
]
TopKOption = Annotated[int, typer.Option(help="Keep the k most likely tokens; 0 keeps all.", rich_help_panel=CONTROLS)]
TopPOption = Annotated[
    float,
    typer.Option(
        help="Keep the smallest set of most likely tokens with at least this total probability; 1 keeps all.",
        rich_help_panel=CONTROLS,
    ),
]
MinPOption = Annotated[
    float,
    typer.Option(
        help="Keep the tokens whose probability is at least this fraction of the most likely token's; 0 keeps all.",
        rich_help_panel=CONTROLS,
    ),
]
TypicalOption = Annotated[
    float,
    typer.Option(
        help="Typical sampling: keep the tokens whose surprisal is closest to the entropy, as few as are needed to "
        "reach this total probability; 1 keeps all.",
        rich_help_panel=CONTROLS,
    ),
]
RepetitionPenaltyOption = Annotated[
    float,
    typer.Option(
        help="Make the last 64 tokens less likely: their probability p becomes p^PENALTY, then all are scaled to a sum "
        "of 1. 1 turns it off.",
        rich_help_panel=CONTROLS,
    ),
]
BiasOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT=NATS",
        help="Add NATS to the log-probability of a character, or of any text that is one token: 'e=-2', '\\n=+1'. "
        "Repeatable.",
        rich_help_panel=CONTROLS,
    ),
]
BanOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help=r"Never write this text. Repeatable. Escapes: \n, \r, \t and \\.",
        rich_help_panel=CONTROLS,
    ),
]
NoCopyOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Never copy more than N characters in a row from the training text, counting the prefix; 0 sets no limit.",
        rich_help_panel=CONTROLS,
    ),
]
BeamOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Search for the most probable texts instead of sampling, keeping the N best partial texts at each step. "
        "--num texts are written, the best first.",
        show_default=False,
        rich_help_panel=CONTROLS,
    ),
]
LengthOption = Annotated[
    int | None,
    typer.Option(
        "--length",
        "-l",
        help="Maximum number of characters after the prefix.",
        show_default="about 500, to the end of a sentence; in a text without sentences, of a line or word",
        rich_help_panel=ENDS,
    ),
]
UntilEosOption = Annotated[
    bool,
    typer.Option(
        "--until-eos",
        help="Write until the model ends the document, at most a million characters.",
        rich_help_panel=ENDS,
    ),
]
MinLengthOption = Annotated[
    int,
    typer.Option(
        help="Minimum number of characters: until then the model can't end the document and --stop is ignored.",
        rich_help_panel=ENDS,
    ),
]
StopOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help=r"Stop before this text would be written. Repeatable. Escapes: \n (any line end: LF, CRLF or CR), "
        r"\r, \t and \\.",
        rich_help_panel=ENDS,
    ),
]
NumOption = Annotated[int, typer.Option("--num", "-n", help="Number of texts to write.", rich_help_panel=MANY)]
BatchOption = Annotated[
    int, typer.Option(help="Number of texts to write in parallel; it doesn't change the texts.", rich_help_panel=MANY)
]
UniqueOption = Annotated[bool, typer.Option("--unique", help="Leave out repeated texts.", rich_help_panel=MANY)]
SortOption = Annotated[
    Literal["seed", "score"],
    typer.Option(
        metavar="NAME",
        help="Order of the texts: seed, or score (bits per character, lowest first).",
        rich_help_panel=MANY,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Random seed; the texts use consecutive seeds: SEED, SEED + 1, and so on. The same seed gives the same "
        "text.",
        show_default="random",
        rich_help_panel=MANY,
    ),
]
JsonLinesOption = Annotated[
    bool,
    typer.Option(
        "--jsonl",
        help="Print each text as a JSON object on one line: the text, its log-probability in nats, bits per character "
        "and why it ended; with --show-probs also the log-probability of each character.",
    ),
]
ShowProbsOption = Annotated[bool, typer.Option("--show-probs", help="Colour each character by its probability.")]
InteractiveOption = Annotated[
    bool,
    typer.Option(
        "--interactive",
        "-i",
        help="Write together with the model: it shows the most likely next tokens, and you pick one, type, or undo.",
    ),
]
CheckpointsOption = Annotated[
    bool,
    typer.Option(
        "--checkpoints",
        help="Instead of writing, show the samples from training, each with its validation loss.",
    ),
]
CopyCheckOption = Annotated[
    bool,
    typer.Option(
        "--copy-check",
        help="Underline what is copied from the training text, and report the longest passage and the fraction copied.",
    ),
]
CopyLengthOption = Annotated[
    int, typer.Option(metavar="N", help="Length of the shortest passage that --copy-check counts.")
]
SteerOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=STRENGTH",
        autocompletion=complete_steer,
        help="Fix part of the state while writing: a direction saved by `charlm probe` at a strength (sentiment=+2; "
        "1 has a clear effect, 4 is too strong), a unit at a value (0:12=1.5; `charlm neurons` lists units), or its "
        "cell state (0:12:c=1.5). Repeatable.",
        rich_help_panel=CONTROLS,
    ),
]
CompareSteerOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=complete_direction,
        help="Write each text twice from the same seed, steered towards both ends of a direction, and show the "
        "pairs side by side. The strength is 2; NAME=3 sets another.",
        show_default=False,
        rich_help_panel=MANY,
    ),
]
AdaptOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Adapt the model to the text in this file first, as `charlm eval --dynamic` does. The model file doesn't "
        "change.",
        rich_help_panel=CONTROLS,
    ),
]
ThreadsOption = Annotated[int, typer.Option(help="CPU threads; one is fastest for a single text.")]

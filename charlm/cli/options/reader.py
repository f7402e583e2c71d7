"""Arguments of the commands that let a model read one text, and the checks on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.config import Unknown
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.text_model import TextModel

ModelAndText = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] TEXT",
        help="A model file, run folder or name of a run (the newest run if none is given), then the file to read, "
        "or - for standard input.",
        show_default=False,
    ),
]

UnknownOption = Annotated[
    Unknown,
    typer.Option(
        metavar="ACTION", help="How to treat a character the model doesn't know: error, nearest, skip or replace."
    ),
]


def open_reader(arguments: list[str] | None, *, what: str) -> "tuple[TextModel, str, str]":
    """The model, the text, and a title that names both.

    Raises `ConfigError` for a model that reads from right to left; `what` is what the command makes, for the message.
    """
    import charlm
    from charlm.data.encoding import read_utf8

    names = list(arguments or [])
    if not 1 <= len(names) <= 2:
        raise ConfigError("give a TEXT to read, or a MODEL and a TEXT")
    text = read_utf8(names[-1])
    loaded = charlm.load(names[0] if len(names) == 2 else None)
    require_forward(loaded, what)
    source = "standard input" if names[-1] == "-" else Path(names[-1]).name
    return loaded, text, f"{source} read by {loaded.path.parent.name}"


def require_forward(loaded: "TextModel", what: str) -> None:
    """Raise `ConfigError` for a model that reads from right to left; `what` is what the command makes."""
    if loaded.corpus_config.direction == "backward":
        raise ConfigError(f"{loaded.path} reads from right to left; {what} needs a model that reads from left to right")

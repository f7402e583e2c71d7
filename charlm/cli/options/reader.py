"""What commands share that let a model read one text: their arguments, and what may be wrong with them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.config import Unknown
from charlm.errors import ConfigError, CorpusError

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
    Unknown, typer.Option(help="A character that the model doesn't know: error, nearest, skip or replace.")
]


def open_reader(arguments: list[str] | None, *, what: str) -> "tuple[TextModel, str, str]":
    """The model, the text, and a title for both; `what` the command makes is named where the model won't do."""
    import charlm

    names = list(arguments or [])
    if not 1 <= len(names) <= 2:
        raise ConfigError("give a TEXT to read, or a MODEL and a TEXT")
    text = _read_text(names[-1])
    loaded = charlm.load(names[0] if len(names) == 2 else None)
    require_forward(loaded, what)
    named = "standard input" if names[-1] == "-" else Path(names[-1]).name
    return loaded, text, f"{named} read by {loaded.path.parent.name}"


def require_forward(loaded: "TextModel", what: str) -> None:
    """Raise `ConfigError` for a model that reads from right to left, which `what` a command makes does not."""
    if loaded.corpus_config.direction == "backward":
        raise ConfigError(f"{loaded.path} reads from right to left, and {what} from left to right; name another model")


def _read_text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{name} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name} is no UTF-8: byte 0x{data[error.start]:02x} at byte offset {error.start}") from None

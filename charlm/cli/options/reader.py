"""Arguments of the commands that let a model read one text, and the checks on them."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.completion import complete_model_or_text
from charlm.cli.options.corpus import PAIRS
from charlm.config import Unknown
from charlm.errors import ConfigError, CorpusError
from charlm.files import is_safetensors, user_path

if TYPE_CHECKING:
    from charlm.text_model import TextModel

ModelAndText = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] TEXT",
        autocompletion=complete_model_or_text,
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

ReadSourceOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help="With a model of pairs, the source that TEXT is the target of.", rich_help_panel=PAIRS
    ),
]


def open_reader(
    arguments: list[str] | None, *, command: str, label: list[str] | None, source: str | None, unknown: Unknown
) -> "tuple[TextModel, str, str]":
    """The model for a text with the labels and the source of the options, the text, and a title that names both.

    `unknown` says how to treat characters of the source that the model doesn't know. Raises `ConfigError` for a model
    that can't read the text; `command` is for the message.
    """
    import charlm
    from charlm.data.encoding import read_utf8
    from charlm.sampling.pairs.source import require_source
    from charlm.text_model import require_forward

    names = list(arguments or [])
    if not 1 <= len(names) <= 2:
        raise ConfigError("give a TEXT to read, or a MODEL and a TEXT")
    require_model_first(names, command)
    text = read_utf8(names[-1])
    loaded = charlm.load(names[0] if len(names) == 2 else None)
    loaded = loaded.with_labels(*label) if label else loaded
    loaded = loaded if source is None else loaded.with_source(source, unknown=unknown)
    require_source(loaded.model, loaded.corpus_config)
    require_forward(loaded, command)
    name = "standard input" if names[-1] == "-" else Path(names[-1]).name
    return loaded, text, ", ".join([f"{name} read by {loaded.path.parent.name}", *(label or ())])


def require_text(texts: list[str]) -> None:
    """Raise `CorpusError` if no text is given."""
    if not texts:
        raise CorpusError("no text given; name a file, a folder, - for standard input, or one of `charlm corpora`")


def require_model_first(names: list[str], command: str) -> None:
    """Raise `ConfigError` if a model comes after the text; `names` are the arguments of `command`."""
    from charlm.data.sources import names_text
    from charlm.storage.runs import names_model

    for name in names[1:]:
        is_text = os.path.isfile(user_path(name)) and not is_safetensors(user_path(name))
        if names_model(name) and not is_text and names_text(names[0]) and not names_model(names[0]):
            words = shlex.join([name, *(one for one in names if one != name)])
            raise ConfigError(f"{name} is a model; the model must come before the text: {command} {words}")

"""The arguments of the commands that let a model read one text: the model and the text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.completion import complete_model_or_text
from charlm.cli.options.corpus import PAIRS
from charlm.cli.options.models import model_and_text
from charlm.config import Unknown
from charlm.errors import CorpusError

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
        metavar="ACTION",
        help="How to treat a character of the text or the source that the model doesn't know: error, nearest, skip "
        "or replace.",
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

    `unknown` says how to treat characters of the source that the model doesn't know. Raises `CorpusError` for an empty
    text, and `ConfigError` for a model that can't read the text; `command` is for the message.
    """
    import charlm
    from charlm.data.encoding import read_utf8
    from charlm.sampling.pairs.source import require_source
    from charlm.storage.runs import model_name
    from charlm.text_model import require_forward

    model, file = model_and_text(arguments or [], command)
    text, name = read_utf8(file), "standard input" if file == "-" else Path(file).name
    if not text:
        raise CorpusError(f"{name}: there is no text to read; give a file that isn't empty")
    loaded = charlm.load(model)
    loaded = loaded.with_labels(*label) if label else loaded
    loaded = loaded if source is None else loaded.with_source(source, unknown=unknown)
    require_source(loaded.model, loaded.corpus_config)
    require_forward(loaded, command)
    return loaded, text, ", ".join([f"{name} read by {model_name(loaded.path)}", *(label or ())])

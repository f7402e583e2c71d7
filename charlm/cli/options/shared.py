"""Options that several commands share, and the conversion of option texts into values."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from charlm.cli.options.completion import complete_model
from charlm.config import MIN_PRIOR_MEMORY, check_range, option_of, parameter_of
from charlm.errors import ConfigError

_LARGEST = 2**63 - 1


def option(
    help: str,
    default: str | bool,
    panel: str,
    *,
    metavar: str | None = None,
    complete: Callable[[str], list[str]] | None = None,
) -> Any:
    """An option in a help panel; `default` is shown as its default, or nothing if False."""
    return typer.Option(
        help=help, show_default=default, rich_help_panel=panel, metavar=metavar, autocompletion=complete
    )


ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        autocompletion=complete_model,
        help="Model file, run folder or name of a run.",
        show_default="the newest run, or the bundled model if there is none",
    ),
]
ThreadsOption = Annotated[int, typer.Option(help="CPU threads.")]
OwnThreadsOption = Annotated[int | None, typer.Option(help="CPU threads.", show_default="set by PyTorch")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def use_threads(threads: int | None) -> None:
    """Let torch compute with this many threads, or its own number; raises `ConfigError` unless it is 1 to 1024."""
    if threads is None:
        return
    check_range("--threads", threads, 1, 1024)
    import torch

    torch.set_num_threads(threads)


def without_none(**options: Any) -> dict[str, Any]:
    """The options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def given(context: typer.Context, fields: Iterable[str]) -> dict[str, Any]:
    """The options that the user has given, and those with a default, as fields of a config.

    The body of a command that uses it need not mention the parameters of these options.

    Args:
        context: the context of the command.
        fields: names of fields.

    Raises `ConfigError` for a whole number that doesn't fit into 64 bits.
    """
    values = {field: context.params.get(parameter_of(field)) for field in fields}
    for field, value in values.items():
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ConfigError(f"{option_of(field, value)} doesn't fit into 64 bits; give a smaller number")
    return {field: value for field, value in values.items() if value not in (None, ())}


def unescape(text: str, option: str) -> str:
    r"""Replace \n, \r, \t and \\ by the characters they stand for; raises `ConfigError` for any other escape."""
    known = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    result = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            if following not in known:
                raise ConfigError(rf"{option} contains \{following}; the only escapes are \n, \r, \t and \\")
            character = known[following]
        result += character
    return result


def memory_size(option: str, text: str) -> int:
    """The bytes of a size such as 500MB or 2GB, in powers of 1,000; raises `ConfigError` for another text."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ?([MG])i?B?", text.strip(), re.ASCII | re.IGNORECASE)
    size = 0 if match is None else round(float(match[1]) * {"M": 10**6, "G": 10**9}[match[2].upper()])
    if size < MIN_PRIOR_MEMORY:
        raise ConfigError(f"{option} is {text!r}; give a size from 10MB up, such as 500MB or 2GB")
    return size

"""The layout of `charlm COMMAND --help`."""

import inspect
import sys
from copy import copy
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

from charlm.cli.ui.visible import visible
from charlm.config.names import closest

_OUTPUT = ("--out", "--output", "--outfile", "--file", "--save", "-o")
_FILES = ("--out", "--html", "--plot", "--run")
"""The options that set where a command writes; they are suggested to a user who types one of `_OUTPUT`."""
_NUMBERS = {"float_parsing": "a number such as 0.5", "int_parsing": "a whole number"}
"""What a value should be, by Pydantic's name of the error."""


class Command(TyperCommand):
    """A command whose help uses the width of the terminal.

    - Paragraphs of its docstring are reflowed; a block with indented lines, such as Examples, keeps its lines.
    - Defaults are shown at the end of an option's help, as [default: auto]. Typer would put them on a separate line,
      and a `show_default` text in double brackets.
    - The negative form of a switch is shown in its help text. Typer would add a column for it.
    - The metavar of an argument is shown unchanged: it already shows what is optional and what can be repeated.
    - Arguments and switches are shown without a type. Typer would print <list[str]> and <bool>.
    """

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*args, help=None if help is None else reflow(help), **settings)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line after the command's name."""
        arguments = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, TyperArgument)]
        pieces = [[argument.metavar] if argument.metavar else argument.get_usage_pieces(ctx) for argument in arguments]
        return ["[OPTIONS]", *(word for words in pieces for word in words)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an error about them is visible on a terminal."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if isinstance(option := getattr(error, "option_name", None), str):
                error.possibilities = self._suggestions(ctx, option)  # type: ignore[attr-defined]
            if isinstance(message := getattr(error, "message", None), str):
                error.message = _plain(message, error.__cause__)  # type: ignore[attr-defined]
            if sys.stderr.isatty() and isinstance(message := getattr(error, "message", None), str):
                error.message = visible(message)  # type: ignore[attr-defined]
            raise

    def _suggestions(self, ctx: Any, option: str) -> list[str]:
        """The options that may be meant by one that doesn't exist."""
        known = [name for parameter in self.get_params(ctx) for name in parameter.opts if name.startswith("--")]
        if option in _OUTPUT:
            return [name for name in _FILES if name in known]
        nearest = closest(option, known)
        return [] if nearest is None else [nearest]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        parameters = [
            _as_shown(part) if isinstance(part, TyperOption | TyperArgument) else part for part in self.get_params(ctx)
        ]
        shown = copy(self)
        shown.get_params = lambda ctx: parameters  # type: ignore[method-assign]
        TyperCommand.format_help(shown, ctx, formatter)


def _plain(message: str, cause: Any) -> str:
    """The message about a value, which `cause` (an error of Pydantic) has rejected."""
    for fault in cause.errors() if hasattr(cause, "errors") else ():
        if fault["type"] in _NUMBERS:
            return f"{fault['input']!r} is not {_NUMBERS[fault['type']]}"
    return message.removeprefix("Value error, ")


def reflow(text: str) -> str:
    """Join the lines of each paragraph, unless some of its lines are indented."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    joined = "\n\n".join(part if "\n " in part else part.replace("\n", " ") for part in paragraphs)
    return joined.replace("\n  [bold]", "\n[bold]  ")  # Typer would dedent a block of examples after a single line


def _as_shown(parameter: TyperOption | TyperArgument) -> TyperOption | TyperArgument:
    """The parameter with its default and negative form moved into its help text, which is Rich markup."""
    parts = [parameter.help or ""]
    shown = copy(parameter)
    if shown.secondary_opts:
        parts.append(f"{', '.join(shown.secondary_opts)} turns it off.")
        shown.secondary_opts = []
    if (default := _default_text(parameter)) is not None:
        parts.append(r"[dim]\[default: " + default.replace("[", r"\[") + "][/dim]")
        shown.show_default = False
    shown.help = " ".join(parts).strip()
    if isinstance(parameter, TyperArgument) or parameter.is_flag:
        shown.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
    return shown


def _default_text(parameter: TyperOption | TyperArgument) -> str | None:
    """The default as the help shows it, or None."""
    default = parameter.default
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if not parameter.show_default or default is None or default == "":
        return None
    if isinstance(default, bool):
        return ("yes" if default else "no") if parameter.secondary_opts else None
    return f"{default:g}" if isinstance(default, float) else str(default)

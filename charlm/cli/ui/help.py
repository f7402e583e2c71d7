"""The layout of `charlm COMMAND --help`."""

import inspect
from typing import Any

from typer import Context
from typer.core import TyperArgument, TyperCommand, TyperOption


class Command(TyperCommand):
    """A command whose help fits the terminal.

    - Paragraphs of its docstring are reflowed; a block with indented lines, such as Examples, keeps its lines.
    - Defaults stand at the end of an option's help, as [default: auto]. Typer would put them on a line of their own
      and a `show_default` text in double brackets.
    - A metavar of an argument is shown as it is written: it says itself what is optional and what repeats.
    """

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*args, help=None if help is None else reflow(help), **settings)
        for parameter in self.params:
            if isinstance(parameter, TyperOption | TyperArgument):
                _inline_default(parameter)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """The words of the usage line after the command's name."""
        arguments = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, TyperArgument)]
        pieces = [[argument.metavar] if argument.metavar else argument.get_usage_pieces(ctx) for argument in arguments]
        return ["[OPTIONS]", *(word for words in pieces for word in words)]


def reflow(text: str) -> str:
    """Join the lines of each paragraph, unless some of its lines are indented."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    joined = "\n\n".join(part if "\n " in part else part.replace("\n", " ") for part in paragraphs)
    return joined.replace("\n  [bold]", "\n[bold]  ")  # Typer would dedent a block of examples after a single line


def _inline_default(parameter: TyperOption | TyperArgument) -> None:
    """Move the default from Typer's own line to the end of the help text."""
    if (default := _default_text(parameter)) is not None:
        escaped = default.replace("[", r"\[")  # the help text is Rich markup
        parameter.help = rf"{parameter.help or ''} [dim]\[default: {escaped}][/dim]".lstrip()
        parameter.show_default = False


def _default_text(parameter: TyperOption | TyperArgument) -> str | None:
    """The default as the help shows it; None for one that is not shown, or that Typer words better, as of a flag."""
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    default = parameter.default
    if not parameter.show_default or default is None or isinstance(default, bool) or default == "":
        return None
    return f"{default:g}" if isinstance(default, float) else str(default)

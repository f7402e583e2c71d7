"""The Typer application: the list of commands, and how errors end a command."""

import functools
import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer

from charlm import __version__
from charlm.cli.commands.cells import cells
from charlm.cli.commands.classify import classify
from charlm.cli.commands.compare import compare
from charlm.cli.commands.compress import compress, decompress
from charlm.cli.commands.corpora import corpora
from charlm.cli.commands.curves import curves
from charlm.cli.commands.diagnose import diagnose
from charlm.cli.commands.eval import evaluate
from charlm.cli.commands.export import export
from charlm.cli.commands.features import features
from charlm.cli.commands.fill import fill
from charlm.cli.commands.heatmap import heatmap
from charlm.cli.commands.info import info
from charlm.cli.commands.neurons import neurons
from charlm.cli.commands.probe import probe
from charlm.cli.commands.runs import runs
from charlm.cli.commands.sample import sample
from charlm.cli.commands.score import score
from charlm.cli.commands.serve import serve
from charlm.cli.commands.trace import trace
from charlm.cli.commands.train import train
from charlm.cli.reports.no_command import show_overview
from charlm.cli.ui.help import Command
from charlm.cli.ui.streams import discard_stdout, print_error
from charlm.errors import CharlmError
from charlm.processes.environment import rank_in_environment

app = typer.Typer(
    name="charlm",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"charlm {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def charlm(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train small recurrent language models on your own text, evaluate them, and generate text.

    Examples:
    [bold]  charlm train corpus.txt[/bold]
    [bold]  charlm sample --prefix "I couldn't" --temperature 0.7[/bold]
    [bold]  charlm eval[/bold]
    """
    if context.invoked_subcommand is None:
        guarded(show_overview)()


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, with errors reported as one line on stderr: exit status 1 for a `CharlmError`, 130 for Ctrl-C."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from charlm.cli.ui.console import Notes

        logging.lastResort = Notes()  # prints what is logged outside of `Bars`
        try:
            command(*args, **kwargs)
        except CharlmError as error:
            is_first = rank_in_environment() == 0
            if is_first if error.is_reported is None else not error.is_reported:
                print_error(f"error: {error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            if rank_in_environment() == 0:
                print_error("interrupted")
            raise typer.Exit(130) from None
        except BrokenPipeError:  # `charlm sample | head`: the reader has closed the pipe
            discard_stdout()
            raise typer.Exit(141) from None

    return run


for _name, _command in (
    ("train", train),
    ("sample", sample),
    ("eval", evaluate),
    ("score", score),
    ("classify", classify),
    ("compare", compare),
    ("runs", runs),
    ("info", info),
    ("fill", fill),
    ("compress", compress),
    ("decompress", decompress),
    ("export", export),
    ("heatmap", heatmap),
    ("features", features),
    ("probe", probe),
    ("neurons", neurons),
    ("curves", curves),
    ("diagnose", diagnose),
    ("trace", trace),
    ("serve", serve),
    ("corpora", corpora),
    ("cells", cells),
):
    app.command(_name, cls=Command)(guarded(_command))

"""`charlm serve`: pages and the completions API on this machine."""

import sys
from typing import Annotated

import typer

from charlm.cli.options.completion import complete_model
from charlm.cli.options.shared import ThreadsOption, use_threads
from charlm.config import check_range
from charlm.errors import CharlmError

_PACKAGES = {"starlette", "uvicorn"}


def serve(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            autocompletion=complete_model,
            help="The model to show first: a model file, a run folder, or the name of a run.",
            show_default="the newest run",
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 chooses a free one.")] = 8321,
    open_page: Annotated[bool, typer.Option("--open", help="Open the first page in the browser.")] = False,
    threads: ThreadsOption = 1,
) -> None:
    """Write, read and train in the browser, and offer the completions API to other programs.

    The server can be reached from this machine only, and runs until Ctrl-C. It offers the runs in runs/ and the
    bundled models. The address of the completions API is http://127.0.0.1:PORT/v1, with any key. Needs the extra
    charlm-rnn\\[web].

    Examples:
      [bold]charlm serve --open[/bold]
      [bold]charlm serve runs/novel --port 8400[/bold]
    """
    import webbrowser

    from charlm.cli.ui.console import note, stderr
    from charlm.cli.ui.streams import BestEffortStream

    check_range("--port", port, 0, 65_535)
    try:
        from charlm.server.launch import run_server
    except ModuleNotFoundError as error:
        if error.name not in _PACKAGES:
            raise
        raise CharlmError(
            "serve needs starlette and uvicorn; install them with: pip install 'charlm-rnn[web]'"
        ) from None
    use_threads(threads)

    def announce(address: str) -> None:
        """Print the address for programs, say how to stop, and open a browser if asked to."""
        stream = BestEffortStream(sys.stdout)  # the server answers even if nobody reads its address
        stream.write(f"{address}\n")
        stream.flush()
        stderr().print("only this machine can reach the server; Ctrl-C stops it and saves a run that is training")
        if open_page and not webbrowser.open(address):
            note("found no browser to open; set the environment variable BROWSER to one")

    run_server(model, port, announce)

"""`--processes` of train, eval and score: the same command in several processes."""

import os
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from charlm.cli.training.repeated import given_options
from charlm.config import check_range
from charlm.errors import ConfigError, ProcessError
from charlm.processes.environment import (
    in_environment,
    launcher,
    may_restart,
    number_in_environment,
    was_restarted,
)

_MOST = 1024

ScoringProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes",
        help="Score with this many processes on this machine, each of which reads its share of the documents. The "
        "figures stay the same.",
        show_default="1",
    ),
]


def check_processes(processes: int | None, texts: Sequence[str], run: str | None, seeds: int | None) -> None:
    """Raise `ConfigError` for a wrong number of processes, and for options of `train` that several can't have."""
    several = _check_number(processes, texts)
    if several and seeds is not None:
        raise ConfigError("--seeds trains with a single process; train each --seed in a command of its own")
    if run is None and may_restart():
        raise ConfigError(
            "torchrun --max-restarts needs --run NAME, so that restarted processes find their run; add it"
        )


def _check_number(processes: int | None, texts: Sequence[str]) -> bool:
    """Whether there are or will be several processes; raises `ConfigError` if that is not possible."""
    several = in_environment()
    if processes is not None:
        check_range("--processes", processes, 1, _MOST)
        if several:
            raise ConfigError("--processes starts processes itself; leave it out in a command that torchrun starts")
        several = processes > 1
    if several:
        from charlm.data.sources import is_stream

        if any(map(is_stream, texts)):
            raise ConfigError("several processes can't read standard input or a pipe; save the text to a file first")
    return several


def score_in_processes(
    context: typer.Context, processes: int | None, arguments: Sequence[str], threads: int | None
) -> bool:
    """Run `charlm eval` or `charlm score` of this context in several processes, unless it is one of them or --processes
    is 1; whether it was run. Exits if it failed.

    Raises `ProcessError` if one is ended by a signal.
    """
    if not _check_number(processes, arguments) or processes is None:
        return False
    from charlm.processes.launch import launch

    options = given_options(context, without=("processes",))
    words = [word if value is None else f"{word}={value}" for word, value in options]
    try:
        status = launch([str(context.info_name), *words, "--", *arguments], processes=processes, threads=threads)
    except ProcessError as error:
        raise ProcessError(f"{error}; the other processes have ended, too; run the command again") from None
    if status:
        raise typer.Exit(status)
    return True


def was_begun_before(run: str) -> bool:
    """Whether torchrun has started this command again, and the run is to be continued."""
    from charlm.storage.runs import RunFolder, find_run

    return was_restarted() and os.path.exists(RunFolder(find_run(run)).config)


def option_of_launcher() -> str:
    """The option --processes as the user has given it, after a space; empty if there is none."""
    return "" if launcher() is None else f" --processes {number_in_environment('WORLD_SIZE', 1)}"


def run_in_processes(
    context: typer.Context, processes: int, texts: Sequence[str], run: str | None, threads: int | None, *, resume: bool
) -> None:
    """Run `charlm train` of this context in several processes, and exit with their status.

    Raises `ProcessError` if one is ended by a signal.
    """
    from charlm.data.sources import find_sources
    from charlm.processes.launch import launch
    from charlm.storage.runs import RunFolder, find_run, new_run, newest_resumable

    if run is None:
        encoding = context.params.get("encoding") or "utf-8"
        run = str(newest_resumable() if resume else new_run(find_sources(texts, encoding=encoding).name))
    options = given_options(context, without=("processes", "run"))
    words = [word if value is None else f"{word}={value}" for word, value in options]
    try:
        status = launch(["train", *words, f"--run={run}", "--", *texts], processes=processes, threads=threads)
    except ProcessError as error:
        remedy = "start the run again"
        if os.path.exists(RunFolder(find_run(run)).config):
            command = shlex.join(["charlm", "train", "--resume", "--run", run, "--processes", str(processes)])
            remedy = f"the other processes have ended, too; continue from the last save with: {command}"
        raise ProcessError(f"{error}; {remedy}") from None
    if status:
        raise typer.Exit(status)

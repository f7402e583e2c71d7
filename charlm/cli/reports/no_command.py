"""What `charlm` without a command prints: the runs in runs/, the newest one, and what to do next."""

import shlex
from typing import TYPE_CHECKING

from charlm.nouns import count_of

if TYPE_CHECKING:
    from charlm.analysis.runs.listing import RunSummary

_COMMANDS = "charlm --help"


def show_overview() -> None:
    """Print which runs are in runs/, and what to do next."""
    from charlm import __version__
    from charlm.analysis.runs.listing import list_runs
    from charlm.cli.ui.console import stdout

    console = stdout()
    console.print(f"charlm {__version__}: small recurrent language models of your own text", style="bold")
    summaries = list_runs()
    lines = _with_runs(summaries) if summaries else _without_runs()
    for line in [*lines, f"all commands: {_COMMANDS}"]:
        console.print(line, soft_wrap=True)


def _without_runs() -> list[str]:
    return [
        "no runs in runs/ here",
        "next: charlm train TEXT          your own file or folder, or a name from charlm corpora",
        "      charlm sample              write with the bundled model of film reviews",
    ]


def _with_runs(summaries: "list[RunSummary]") -> list[str]:
    from charlm.cli.ui.numbers import ago

    newest = summaries[0]
    run = shlex.quote(newest.run)
    count = count_of(len(summaries), "run")
    others = "" if len(summaries) == 1 else "; charlm runs lists them"
    lines = [f"{count} in runs/{others}", f"newest: {newest.run}, {_figures(newest)}saved {ago(newest.saved)}"]
    if newest.problem is not None:
        return [*lines, f"        {newest.problem}"]
    if newest.progress is not None and newest.progress < 1:
        return [
            *lines,
            f"next: charlm train --resume --run {run}          continue it",
            f"      charlm sample {run}",
        ]
    return [*lines, f"next: charlm sample {run}", f"      charlm eval {run}", f"      charlm curves {run}"]


def _figures(run: "RunSummary") -> str:
    """What is known of a run, with a comma after each figure."""
    bits, progress = run.bits_per_character, run.progress
    known = (
        run.network,
        f"of {run.text}" if run.text else None,
        None if progress is None else "finished" if progress >= 1 else f"{progress:.0%} done",
        None if bits is None else f"{bits:.3f} bits per character",
    )
    return "".join(f"{figure}, " for figure in known if figure is not None)

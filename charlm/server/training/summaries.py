"""The list of runs as the page shows it: each run is read again only when its files have changed, and not too often."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from charlm.analysis.runs.listing import RunSummary, summarise, summarised_files
from charlm.server.training.uploads import text_name
from charlm.storage.runs import RUNS, RunFolder

_LARGEST_SHARE = 0.005
"""Of the time, which may be spent on reading a run that grows: the figures of a long run take a while to read."""

_Stamp = list[tuple[str, int, int]]
"""Name, size and time of each file."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The summary of a run as it was read."""

    summary: RunSummary | None
    stamp: _Stamp
    next_look: float
    """When the run may be read again."""


class Summaries:
    """The summaries of all runs, kept between two looks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Path, _Known] = {}

    def listed(self) -> list[RunSummary]:
        """As `charlm.analysis.runs.listing.list_runs`, with the titles of uploads instead of the names of their files.

        The figures of a run that grows may be some seconds old.
        """
        with self._lock:
            self._known = {path: self._look(path) for path in RUNS.glob("*/")}
            found = [known.summary for known in self._known.values() if known.summary is not None]
        return sorted(found, key=lambda summary: summary.saved, reverse=True)

    def _look(self, path: Path) -> _Known:
        run, known, began = RunFolder(path), self._known.get(path), self._clock()
        stamp = [(file.name, facts.st_size, facts.st_mtime_ns) for file, facts in _facts_of(run)]
        if known is not None and (known.stamp == stamp or began < known.next_look):
            return known
        summary, ended = summarise(run, text_name), self._clock()
        return _Known(summary, stamp, ended + (ended - began) / _LARGEST_SHARE)


def _facts_of(run: RunFolder) -> list[tuple[Path, os.stat_result]]:
    found = []
    for file in summarised_files(run):
        with contextlib.suppress(OSError):  # deleted meanwhile
            found.append((file, file.stat()))
    return found

"""Consoles, progress bars and notes. Data goes to stdout, everything else to stderr."""

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.text import Text
from rich.theme import Theme

from charlm.cli.ui.streams import BestEffortStream, TrimmedStream
from charlm.cli.ui.visible import visible
from charlm.processes.environment import rank_in_environment

WIDE = 10_000
"""Columns of stdout where it is not a terminal."""

_BAR_DELAY = 0.5  # seconds of work before a bar appears
_THEME = Theme({"bar.complete": "cyan", "bar.pulse": "cyan", "bar.finished": "green"})  # Rich's own are red, as errors


class VisibleConsole(Console):
    """A console whose texts are visible if it is a terminal; a string is markup only if it is printed as such."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(highlight=False, emoji=False, markup=False, theme=_THEME, **settings)

    def on_broken_pipe(self) -> None:
        """Let the command end as for any other output whose reader has gone; rich would exit with status 1."""
        raise BrokenPipeError

    def _visible(self, text: str) -> str:
        return visible(text) if self.is_terminal or self.file.isatty() else text

    def render_str(self, text: str, **settings: Any) -> Text:
        """A string as a `Text`, which would drop some control characters."""
        return super().render_str(self._visible(text), **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(self._visible(segment.text), segment.style)


def stderr() -> Console:
    """A console for everything but data; write errors are ignored, since its reader may be gone. Of several processes
    only the first prints."""
    return VisibleConsole(file=cast(TextIO, BestEffortStream(sys.stderr)), quiet=rank_in_environment() > 0)


def stdout() -> Console:
    """A console for data. Without a terminal, lines are not wrapped and have no trailing blanks."""
    console = VisibleConsole()
    if not console.is_terminal:
        console = VisibleConsole(file=cast(TextIO, TrimmedStream(sys.stdout)), width=WIDE)
    return console


def print_json(value: Any) -> None:
    """Print one JSON value on stdout: in ASCII, since a path need not be UTF-8; NaN and infinity become null."""
    print(json.dumps(_finite(value), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def note(text: str, console: Console | None = None) -> None:
    """Print a note on stderr, or on a console that writes there."""
    (console or stderr()).print(f"note: {text}", style="yellow", soft_wrap=True)


class Notes(logging.Handler):
    """Prints the library's warnings as notes, on stderr or on a console that writes there."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning."""
        note(record.getMessage(), self._console)


class Bars:
    """A context that shows the library's progress bars and warnings on stderr.

    It is called as a `charlm.progress.Progress`. A bar appears only for work that takes more than half a second, and
    disappears when the context ends or `finish` is called. `status` shows a line at once, until a bar replaces it.
    Without a terminal there are no bars and no such line.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._notes = Notes(console)
        self._status: Live | None = None
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._activity = ""
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        logging.getLogger("charlm").addHandler(self._notes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        logging.getLogger("charlm").removeHandler(self._notes)

    def status(self, activity: str) -> None:
        """Show what is being done, for work that reports no progress or has not begun to."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return
        if self._status is None:
            # Drawn only here, since a thread that redraws it would slow down the imports it announces.
            self._status = Live(console=self._console, auto_refresh=False, transient=True)
            self._status.start()
        self._status.update(Text(f"{activity} …", style="dim", no_wrap=True, overflow="ellipsis"), refresh=True)

    def finish(self) -> None:
        """Remove the bars and the status line."""
        self._end_status()
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
        self._activity = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if not self._console.is_terminal:
            return
        now = time.monotonic()
        if what != self._activity:
            self._activity, self._since, self._task = what, now, None
            if self._status is not None:
                self.status(what)
        if self._task is None and (now - self._since < _BAR_DELAY or done == total):
            return
        self._end_status()
        if self._bars is None:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        if self._task is None:
            self._task = self._bars.add_task(what, total=total)
        self._bars.update(self._task, completed=done, total=total)

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def passing_bar(bars: Bars) -> Callable[[str, int, int | None], None]:
    """A `charlm.progress.Progress` that shows bars, and removes them when its work is done."""

    def show(what: str, done: int, total: int | None) -> None:
        bars(what, done, total)
        if done == total:
            bars.finish()

    return show

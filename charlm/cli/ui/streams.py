"""Standard streams as a caller may leave them: closed, without a reader, or unable to write a character."""

import contextlib
import io
import os
import re
import sys
from typing import Any, TextIO

_BLANKS = re.compile(" +(?=\n)")


def mend_streams() -> None:
    """Replace closed streams by one that swallows all, and write ? on stdout for what its encoding lacks."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (open to the end)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


class Forgiving:
    """A text stream that nothing depends on: once its reader is gone, or its terminal, what is written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose."""
        try:
            return self._stream.write(text)
        except OSError:
            self._lose()
            return len(text)

    def flush(self) -> None:
        """Flush, or lose."""
        try:
            self._stream.flush()
        except OSError:
            self._lose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self) -> None:
        """Let the stream run into the void, so that what it still holds fails no more, not even at exit."""
        with contextlib.suppress(OSError), open(os.devnull, "wb") as void:
            os.dup2(void.fileno(), self._stream.fileno())


class Trimmed:
    """A text stream whose lines end without blanks."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write lines; a blank at the end of a text may be inside a line, and stays."""
        self._stream.write(_BLANKS.sub("", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def complain(text: str) -> None:
    """A line on stderr."""
    stream = Forgiving(sys.stderr)
    stream.write(text + "\n")
    stream.flush()

"""Standard streams that may be closed, have lost their reader, or have an encoding that lacks a character."""

import contextlib
import io
import os
import re
import sys
from typing import Any, TextIO

_BLANKS = re.compile(" +(?=\n)")


def mend_streams() -> None:
    """Replace closed streams by the null device, and let stdout write ? for characters its encoding lacks."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (stays open until exit)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


class BestEffortStream:
    """A text stream whose write errors are ignored: once its reader or terminal is gone, output is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError:
            self._redirect_to_null()
            return len(text)

    def flush(self) -> None:
        """Flush, or drop what is buffered."""
        try:
            self._stream.flush()
        except OSError:
            self._redirect_to_null()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _redirect_to_null(self) -> None:
        """Send the stream to the null device, so that flushing its buffer can't fail again, not even at exit."""
        with contextlib.suppress(OSError), open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), self._stream.fileno())


class TrimmedStream:
    """A text stream that removes trailing blanks from lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text; blanks at its very end stay, since the line may continue."""
        self._stream.write(_BLANKS.sub("", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def print_error(text: str) -> None:
    """Print a line on stderr."""
    stream = BestEffortStream(sys.stderr)
    stream.write(text + "\n")
    stream.flush()

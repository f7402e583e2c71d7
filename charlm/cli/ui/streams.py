"""Standard streams that may be closed, have lost their reader, or have an encoding that lacks a character."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
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


@contextlib.contextmanager
def reporting_lost_output() -> Iterator[None]:
    """End the process with a line on stderr if the block, or the last flush, can't write to stdout."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()
        raise SystemExit(141) from None
    except OSError as error:
        if error.filename is not None:  # another file, which the library should have reported
            raise
        discard_stdout()
        print_error(
            f"error: can't write to standard output: {error.strerror}; free some space, or send it to another place"
        )
        raise SystemExit(1) from None


def discard_stdout() -> None:
    """Send stdout to the null device, so that flushing its buffer can't fail at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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

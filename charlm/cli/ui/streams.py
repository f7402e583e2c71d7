"""Standard streams that may be closed, have lost their reader, or have an encoding that can't represent a character."""

import codecs
import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from charlm.cli.ui.visible import visible

_REPLACE = "charlm.replace"
_BLANKS = re.compile(" +(?=\n)")


def mend_streams() -> None:
    """Replace closed streams by the null device, and let stdout write every character.

    Output to a file or a pipe is UTF-8, unless PYTHONIOENCODING sets another encoding. In any other encoding, a
    character that it can't represent becomes ?, with one note on stderr. Bytes of a file name that are not UTF-8 stay
    as they are.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (stays open until exit)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error(_REPLACE, _Replacement())
        is_utf8 = not sys.stdout.isatty() and not os.environ.get("PYTHONIOENCODING")
        sys.stdout.reconfigure(encoding="utf-8" if is_utf8 else None, errors=_REPLACE)


class _Replacement:
    """An error handler for codecs that prints one note when characters are lost."""

    def __init__(self) -> None:
        self._noted = False

    def __call__(self, error: UnicodeError) -> tuple[str | bytes, int]:
        """What to write in place of characters that can't be encoded, and the position after them."""
        if not isinstance(error, UnicodeEncodeError):
            raise error
        lost = error.object[error.start : error.end]
        with contextlib.suppress(UnicodeEncodeError):
            return lost.encode("ascii", "surrogateescape"), error.end
        if not self._noted:
            self._noted = True
            print_error(
                f"note: the output encoding is {error.encoding}, which can't represent {lost[0]!a} and possibly other "
                "characters; these are written as ?; set PYTHONIOENCODING=utf-8 to keep them"
            )
        return "?" * len(lost), error.end


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
            f"error: can't write to standard output: {error.strerror}; free some disk space or redirect the output "
            "elsewhere"
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
    stream.write((visible(text) if stream.isatty() else text) + "\n")
    stream.flush()

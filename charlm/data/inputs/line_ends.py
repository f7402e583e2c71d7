"""What ends a line, in every text: LF, CRLF or CR."""

import re
from collections.abc import Iterable, Iterator

LINE_END = r"(?>\r\n|\n|\r)"
"""A pattern of one line end; atomic, so that CRLF never counts as two."""


def with_lf(text: str) -> str:
    """`text` with LF for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def any_line_end(text: str) -> str:
    """A pattern that matches `text`, each of its line ends by any line end."""
    return LINE_END.join(map(re.escape, with_lf(text).split("\n")))


def count_line_ends(text: str) -> int:
    """The number of line ends."""
    return text.count("\n") + (text.count("\r") - text.count("\r\n") if "\r" in text else 0)


def has_blank_line(text: str) -> bool:
    """Whether a line end follows another."""
    return "\n\n" in text or ("\r" in text and re.search(rf"{LINE_END}[\r\n]", text) is not None)


def with_whole_line_ends(texts: Iterable[str]) -> Iterator[str]:
    """The parts of a text, cut so that none ends between CR and LF."""
    held_back = ""
    for text in texts:
        text, held_back = held_back + text, ""
        if text.endswith("\r"):
            text, held_back = text[:-1], "\r"
        if text:
            yield text
    if held_back:
        yield held_back

"""Control characters as visible symbols, so that a text can't steer the terminal on which it is shown.

The text of a corpus, a model or a file name may come from a stranger. Its control characters could clear the screen,
change the title or reorder the displayed text. Output to a file or a pipe keeps them.
"""

import sys

_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))  # Unicode Annex 9
_SYMBOLS = (
    {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}  # ␀ to ␟
    | {0x7F: "␡"}
    | {code: f"<U+{code:04X}>" for code in (*range(0x80, 0xA0), *_BIDIRECTIONAL)}
    | {code: f"<{code - 0xDC00:02X}>" for code in range(0xDC80, 0xDD00)}  # bytes of a file name that are not UTF-8
)


def visible(text: str) -> str:
    """`text` with symbols for control characters: C0 except tab and newline, C1 and bidirectional ones.

    CRLF becomes a newline.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.replace("\r\n", "\n").translate(_SYMBOLS)


def for_stdout(text: str) -> str:
    """`text` as it is printed: visible if stdout is a terminal."""
    return visible(text) if sys.stdout.isatty() else text


class VisibleParts:
    """Applies `visible` to a text that arrives in parts."""

    def __init__(self) -> None:
        self._held_back = ""  # a CR, which may begin CRLF

    def add(self, text: str) -> str:
        """The next part."""
        text, self._held_back = self._held_back + text, ""
        if text.endswith("\r"):
            text, self._held_back = text[:-1], "\r"
        return visible(text)

    def end(self) -> str:
        """What is left when the text ends."""
        rest, self._held_back = visible(self._held_back), ""
        return rest

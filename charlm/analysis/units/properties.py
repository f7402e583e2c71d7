"""Properties of a text at each character: whether it is in quotes, how deep in brackets, and so on.

The value at a character is what a reader knows, or could know, after reading it: just after an opening quote the text
is inside quotes, just after the closing quote it is not. The rules suit many kinds of prose and source code; they do
not parse any particular language:

- A quote is "...", “...” or «...» within a paragraph, '...' within a line, or three of " or ' over any number of lines.
  A backslash escapes. An apostrophe before or after a letter doesn't count, nor does an unclosed quote.
- A comment runs from # (at the start of a line or after whitespace, but not a C preprocessor directive) or from // (at
  the start of a line or after one of ; , { }) to the end of the line, or from /* to */. Quotes contain no comments.
- Brackets are ( ), [ ] and { }, outside quotes and comments. A closing bracket without a match is ignored. Round and
  square brackets are considered closed where text starts at the margin after an empty line.
  Depth is only defined inside brackets; otherwise a unit that tells inside from outside would seem to count.
- Lines end in \\n, \\r\\n or \\r. The newline belongs to the new line: position and indentation are 0 there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["yes or no", "number"]

_TAB = 8
_CLOSES = {")": "(", "]": "[", "}": "{"}
_DIRECTIVES = "include|define|undef|if|ifdef|ifndef|elif|else|endif|pragma|error|line"
_LONE_CR = re.compile(r"\r(?!\n)")
_EMPTY = r"\r?\n[ \t]*\r?\n"
_MARKS = re.compile(
    rf"""
      (?P<triple>  \"{{3}} (?:\\.|[^\\])*? (?:\"{{3}}|\Z) | '{{3}} (?:\\.|[^\\])*? (?:'{{3}}|\Z) )
    | (?P<double>  " (?:\\.|(?!{_EMPTY})[^"\\])* " )
    | (?P<curly>   “ (?:(?!{_EMPTY})[^”])* ” | « (?:(?!{_EMPTY})[^»])* » )
    | (?P<single>  (?:(?<![\w'\\])|(?<=\b[rbufRBUF])|(?<=\b[rbfRBF][rbfRBF])) ' (?:\\.|'(?=\w)|[^'\\\n])* '(?!\w) )
    | (?P<block>   (?<![\w/.*]) /\*.*?\*/ )
    | (?P<line>    (?: (?<!\S)\#(?!(?:{_DIRECTIVES})\b) | (?:(?<=[;,{{}}\n])|\A)[ \t]*// ) [^\r\n]* )
    | (?P<margin>  {_EMPTY}(?=[^\s)\]}}]) )
    | (?P<bracket> [()\[\]{{}}] )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_URL = re.compile(r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"'`)\]}]*[^\s<>\"'`)\]}.,;:!?]")
_SENTENCE = re.compile(r"(?<=[\w)\"'”»’])[.!?…]+(?=[\"'”»’)\]]*(?:\s+[^\sa-z]|\s*\Z))|[。！？]")
_MARGIN = re.compile(r"(?:\A|(?<=\n))([ \t]*)([^\n]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Property:
    """A yes-or-no property or a number at each character of a text."""

    name: str
    kind: Kind
    values: NDArray[np.float32]
    """(N,) for N characters; 0 for no and 1 for yes."""
    where: NDArray[np.bool_] | None = None
    """Where the property is defined, (N,); None for everywhere."""

    def at(self, places: NDArray[np.int64]) -> "Property":
        """The property at the characters with the given indices."""
        where = None if self.where is None else self.where[places]
        return replace(self, values=self.values[places], where=where)

    def within(self, places: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The places of a mask (N,) where the property is defined."""
        return places if self.where is None else places & self.where


def properties(text: str) -> tuple[Property, ...]:
    """All properties of a text of N characters."""
    text = _LONE_CR.sub("\n", text)
    quoted, comment, depth = _structure(text)
    yes = {
        "in quotes": quoted,
        "in brackets": (depth > 0).astype(np.float32),
        "in a comment": comment,
        "in a word": _spans(text, _WORD),
        "upper case": _each(text, str.isupper),
        "digit": _each(text, str.isdigit),
        "end of a sentence": _spans(text, _SENTENCE),
        "in a URL": _spans(text, _URL),
    }
    numbers = {
        "indentation": _indentation(text),
        "position in the line": _position(text),
    }
    return (
        *(Property(name=name, kind="yes or no", values=values) for name, values in yes.items()),
        Property(name="depth of brackets", kind="number", values=depth, where=depth > 0),
        *(Property(name=name, kind="number", values=values) for name, values in numbers.items()),
    )


def _structure(text: str) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Quotes, comments (0 or 1) and the number of open brackets at each character, (N,) each."""
    quoted, comment, change = (np.zeros(len(text) + 1, np.float32) for _ in range(3))
    opened: list[str] = []
    for mark in _MARKS.finditer(text):
        start, end = mark.span()
        depth = len(opened)
        if mark.lastgroup == "line":
            comment[start + len(mark[0]) - len(mark[0].lstrip()) : end] = 1
        elif mark.lastgroup == "block":
            comment[start : end - mark[0].endswith("*/")] = 1
        elif mark.lastgroup == "margin":
            opened = [bracket for bracket in opened if bracket == "{"]
        elif mark.lastgroup != "bracket":
            closed = mark.lastgroup != "triple" or (len(mark[0]) >= 6 and mark[0].endswith(mark[0][:3]))
            quoted[start : end - closed] = 1
        elif mark[0] not in _CLOSES:
            opened.append(mark[0])
        elif _CLOSES[mark[0]] in opened:
            while opened.pop() != _CLOSES[mark[0]]:
                pass
        change[end - 1] += len(opened) - depth
    return quoted[:-1], comment[:-1], np.cumsum(change[:-1], dtype=np.float32)


def _position(text: str) -> NDArray[np.float32]:
    """Distance of each character from the last newline or the beginning of the text, (N,)."""
    places = np.arange(len(text))
    newlines = _each(text, "\n".__eq__) > 0
    return (places - np.maximum.accumulate(np.where(newlines, places, -1))).astype(np.float32)


def _indentation(text: str) -> NDArray[np.float32]:
    """Indentation of each character's line in columns, as far as the line has been read, (N,)."""
    values = np.zeros(len(text), np.float32)
    for line in _MARGIN.finditer(text):
        blanks, width = line[1], 0
        for place, blank in enumerate(blanks, line.start()):
            width = width + 1 if blank == " " else (width // _TAB + 1) * _TAB
            values[place] = width
        values[line.start(2) : line.end()] = width
    return values


def _spans(text: str, pattern: re.Pattern[str]) -> NDArray[np.float32]:
    """1 inside matches of a pattern, 0 elsewhere, (N,)."""
    values = np.zeros(len(text), np.float32)
    for match in pattern.finditer(text):
        values[match.start() : match.end()] = 1
    return values


def _each(text: str, test: Callable[[str], bool]) -> NDArray[np.float32]:
    """1 at characters that pass a test, 0 elsewhere, (N,)."""
    return np.fromiter(map(test, text), np.float32, len(text))

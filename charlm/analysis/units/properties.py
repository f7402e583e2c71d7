"""What is true of a text at each of its characters: whether it stands in quotes, how deep in brackets, and so on.

A property at a character is what a reader knows, or could know, having read up to and with it: after an opening quote
one is inside, after the closing one no longer. The rules fit source code and prose of many kinds; they are no parser of
any one language:

- A quote is "...", “...” or «...» within a paragraph, '...' within a line, or three of " or ' over any number of lines;
  a backslash escapes. An apostrophe, behind a letter or before one, is none, nor is what nothing closes.
- A comment goes from # (at the start of a line or after a blank; no directive of C's preprocessor) or from // (at the
  start of a line or after one of ; , { }) to the end of the line, or from /* to */. There are none inside quotes.
- Brackets are ( ), [ ] and { }, outside quotes and comments. One that closes nothing is passed over; round and square
  ones that are open where, after an empty line, text begins at the margin are forgotten.
  Their depth is asked for inside brackets only: a unit that knows in from out does not count yet.
- Line ends are \\n and \\r\\n. The newline begins the new line: position and indentation are 0 there.
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
    """Something that holds or doesn't, or a number, at each character of a text."""

    name: str
    kind: Kind
    values: NDArray[np.float32]
    """(N,) for N characters; 0 and 1 for yes or no."""
    where: NDArray[np.bool_] | None = None
    """Where the question arises, (N,); None is everywhere."""

    def at(self, places: NDArray[np.int64]) -> "Property":
        """The property at some characters."""
        where = None if self.where is None else self.where[places]
        return replace(self, values=self.values[places], where=where)

    def within(self, places: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of some places, (N,), those where the question arises."""
        return places if self.where is None else places & self.where


def properties(text: str) -> tuple[Property, ...]:
    """All properties of a text of N characters."""
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
    """Where quotes and comments are, and how many brackets are open, (N,) each."""
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
            opened = [one for one in opened if one == "{"]
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
    """How far behind the last newline, or the beginning, each character is, (N,)."""
    places = np.arange(len(text))
    newlines = _each(text, "\n".__eq__) > 0
    return (places - np.maximum.accumulate(np.where(newlines, places, -1))).astype(np.float32)


def _indentation(text: str) -> NDArray[np.float32]:
    """By how many columns the line of each character is indented, as far as it is read, (N,)."""
    values = np.zeros(len(text), np.float32)
    for line in _MARGIN.finditer(text):
        blanks, width = line[1], 0
        for place, blank in enumerate(blanks, line.start()):
            width = width + 1 if blank == " " else (width // _TAB + 1) * _TAB
            values[place] = width
        values[line.start(2) : line.end()] = width
    return values


def _spans(text: str, pattern: re.Pattern[str]) -> NDArray[np.float32]:
    """1 within what matches, (N,)."""
    values = np.zeros(len(text), np.float32)
    for found in pattern.finditer(text):
        values[found.start() : found.end()] = 1
    return values


def _each(text: str, test: Callable[[str], bool]) -> NDArray[np.float32]:
    """1 where a character passes, (N,)."""
    return np.fromiter(map(test, text), np.float32, len(text))

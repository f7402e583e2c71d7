"""Where paragraphs, sentences, lines and words begin and end in a text of any script."""

import re
from dataclasses import dataclass

_CLOSING = r"['\"’”»)\]」』]*+"
_SENTENCE_END = rf"(?:[.!?…]{_CLOSING}(?=\s)|[。！？]{_CLOSING})"
"""A pattern of what ends a sentence, without the white space after it."""

_BLANK_LINE = r"(?:\n|\r(?!\n))[ \t]*\r?[\n\r]"
_WITHOUT_SPACES = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Ideographs and kana, each of which counts as a word, as in Unicode Annex 29."""

LINE_START = re.compile(r"(?s)(?<=\n)(?=.)|(?<=\r)(?=[^\n])")
"""After LF, CRLF or CR."""
SENTENCE_START = re.compile(rf"(?:{_SENTENCE_END}|{_BLANK_LINE})\s*(?=\S)")
"""After the end of a sentence, or a blank line, and the white space that follows; the end of a match is the place."""
WORD_START = re.compile(rf"(?<=\S)(?=\s)|(?<=[{_WITHOUT_SPACES}])(?=\w)|(?<=[^\s「『（《])(?=[{_WITHOUT_SPACES}])")
"""Before the white space that precedes a word, and on both sides of an ideograph."""

_PARAGRAPH_START = re.compile(rf"{_BLANK_LINE}\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class TextUnit:
    """A kind of passage at which a text may begin and end."""

    end: re.Pattern[str]
    start: re.Pattern[str]
    """The end of its match is where a passage begins."""

    def first_end(self, text: str, least: int) -> int | None:
        """The first place at or after `least` characters where a passage ends; None if there is none."""
        found = (match.end() for match in self.end.finditer(text) if match.end() >= least)
        return next(found, None)

    def last_start(self, text: str) -> int | None:
        """The last place where a passage begins; None if there is none."""
        return _last_end(self.start, text)


SENTENCE = TextUnit(re.compile(_SENTENCE_END), re.compile(rf"{_SENTENCE_END}\s*(?=\S)"))
LINE = TextUnit(re.compile(r"(?=[\r\n])"), re.compile(r"[\r\n]\s*(?=\S)"))
WORD = TextUnit(re.compile(r"(?<=\S)(?=\s)"), re.compile(r"\s+(?=\S)"))


def unit_of(text: str) -> TextUnit | None:
    """The unit that a text shows: sentences, else lines, else words; None for a single word."""
    return next((unit for unit in (SENTENCE, LINE, WORD) if unit.end.search(text)), None)


def last_paragraph_start(text: str) -> int | None:
    """The last place after a blank line; None if there is none."""
    return _last_end(_PARAGRAPH_START, text)


def _last_end(pattern: re.Pattern[str], text: str) -> int | None:
    at = None
    for match in pattern.finditer(text):
        at = match.end()
    return at

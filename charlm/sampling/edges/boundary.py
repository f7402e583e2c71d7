"""Where a text may begin and end: at its paragraphs, sentences, lines or words, whichever it has."""

import re
from dataclasses import dataclass

from charlm.data.inputs.borders import SENTENCE_END

_LINE_END = r"(?:\n|\r(?!\n))"
_PARAGRAPH_START = re.compile(rf"{_LINE_END}[ \t]*\r?{_LINE_END}\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class Unit:
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


SENTENCE = Unit(re.compile(SENTENCE_END), re.compile(rf"{SENTENCE_END}\s*(?=\S)"))
LINE = Unit(re.compile(r"(?=[\r\n])"), re.compile(r"[\r\n]\s*(?=\S)"))
WORD = Unit(re.compile(r"(?<=\S)(?=\s)"), re.compile(r"\s+(?=\S)"))


def unit_of(text: str) -> Unit | None:
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

"""Where words begin and end: at white space, or at the word boundaries of Unicode.

Both patterns match every character of a text once, in order. A space begins a word or the white space that it belongs
to, so a text can be cut before any white space that follows another character, and its parts split like the whole.
"""

import re
import sys
import unicodedata
from functools import cache
from itertools import groupby

from charlm.config import WordSplit

_BLANK = r" ?\r?\n| +(?= )|\s"
"""Line ends with the space before them, all but the last of several spaces, and any other white space."""

_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u309f\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Ideographs, Hiragana, and scripts without spaces of South-East Asia: each character is a word."""
_BETWEEN_LETTERS = "'.\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe52\uff07\uff0e"
"""MidLetter, MidNumLet and Single_Quote."""
_BETWEEN_DIGITS = "'.,;\u037e\u0589\u060c\u060d\u066c\u07f8\u2018\u2019\u2024\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b"
"""MidNum, MidNumLet and Single_Quote."""
_RUNS = r"\.{2,}|-{2,}|={2,}|\*{2,}|#{2,}"
"""Punctuation that is repeated."""


@cache
def pattern_of(split: WordSplit) -> re.Pattern[str]:
    """The pattern of one word or white space; `split` is not "auto".

    "whitespace" is str.split of Python, which papers on word-level models use. "unicode" follows the default word
    boundaries of Unicode Standard Annex 29 (rules WB4 to WB13), but repeated punctuation is one word.
    """
    if split == "whitespace":
        return re.compile(rf" ?\S+|{_BLANK}")
    marks = _marks()
    usual = r" ?[A-Za-z]+(?=[ \n,;:!?\"()-])"  # the same as the general word, but many times as fast
    letter = rf"[^\W\d_{_ALONE}]"
    inner = "|".join(
        (
            rf"[^\W{_ALONE}]+",
            rf"[{marks}]",
            rf"(?<=[^\W\d_{_ALONE}{marks}])[{_BETWEEN_LETTERS}](?={letter})",
            rf"(?<=\d)[{_BETWEEN_DIGITS}](?=\d)",
        )
    )
    return re.compile(rf"{usual}| ?(?:[^\W{_ALONE}]+(?:{inner})*|[{_ALONE}][{marks}]*|{_RUNS}|[^\w\s])|{_BLANK}")


def last_border(text: str) -> int:
    """The last place where a text can be cut so that its parts split like the whole; 0 if there is none."""
    for place in range(len(text) - 1, 0, -1):
        if text[place].isspace() and not text[place - 1].isspace():
            return place
    return 0


def _marks() -> str:
    """Combining marks and joiners, which belong to the letter before them (rule WB4), as ranges of a pattern."""
    codes = [
        code
        for code in range(0x300, min(0xE0200, sys.maxunicode))
        if code in (0x200C, 0x200D) or unicodedata.category(chr(code))[0] == "M"
    ]
    runs = (
        [code for _, code in group] for _, group in groupby(enumerate(codes), key=lambda place: place[1] - place[0])
    )
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)

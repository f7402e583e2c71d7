"""Where sentences, lines and words begin and end in a text of any script."""

import re

CLOSING = r"['\"’”»)\]」』]*+"
SENTENCE_END = rf"(?:[.!?…]{CLOSING}(?=\s)|[。！？]{CLOSING})"
"""A pattern of what ends a sentence, without the white space after it."""

_BLANK_LINE = r"(?:\n|\r(?!\n))[ \t]*\r?[\n\r]"
_WITHOUT_SPACES = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Ideographs and kana, each of which counts as a word, as in Unicode Annex 29."""

LINE_START = re.compile(r"(?s)(?<=\n)(?=.)|(?<=\r)(?=[^\n])")
"""After LF, CRLF or CR."""
SENTENCE_START = re.compile(rf"(?:{SENTENCE_END}|{_BLANK_LINE})\s*(?=\S)")
"""After the end of a sentence, or a blank line, and the white space that follows; the end of a match is the place."""
WORD_START = re.compile(rf"(?<=\S)(?=\s)|(?<=[{_WITHOUT_SPACES}])(?=\w)|(?<=[^\s「『（《])(?=[{_WITHOUT_SPACES}])")
"""Before the white space that precedes a word, and on both sides of an ideograph."""

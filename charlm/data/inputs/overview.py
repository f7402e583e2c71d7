"""What is counted while a text is read for the first time: its size, and what its documents look like."""

import re

from charlm.config import DocumentKind
from charlm.data.documents import Part
from charlm.data.inputs.line_ends import count_line_ends, has_blank_line

_LIST_LINES = 10  # fewest lines of a document, on average, to look like a list
_FEWEST_LINES = 200  # of a text that looks like a list
_LONGEST_LINE = 120  # characters of its lines, on average
_QUOTED_LINE_END = re.compile(r"""(?:[\r\n,;\t|]|\A)"(?:[^"\r\n]|"")*[\r\n]""")
"""A field of a table (RFC 4180) that begins with a quotation mark and goes on in the next line."""
_SEARCHED = 1 << 20  # characters of the text, at its start, that are searched for such fields
_SORT_KEY_LENGTH = 64  # characters of a document's start that decide whether documents are sorted
_COMPARED = 4096  # documents of a part, at its start, that are compared for that
_FEWEST_SORTED, _SORTED_SHARE = 200, 0.95  # pairs of different neighbours, and those that ascend


class Overview:
    """The size of a text, and what its documents look like."""

    def __init__(self, kind: DocumentKind) -> None:
        self.characters = 0
        """Of all documents, without the separators between them."""
        self.is_blank = True
        """Whether no character is anything but white space."""
        self.documents = 0
        self._is_files = kind == "file"
        self._inside = False  # whether a document has begun and not ended
        self._lengths = [0]  # characters of each file, if it is a document
        self._lines = 0
        self._has_blank_line = self._has_quoted_line_end = False
        self._tail = ""  # of the text so far: a blank line may span two parts
        self._ascending = self._differing = 0  # documents that differ from the one before, and that come after it
        self._previous_key = ""

    def add(self, part: Part) -> None:
        """Count the next part."""
        self._compare_starts(part.texts[self._inside : _COMPARED])
        self._inside = not part.ends
        text = "".join(part.texts)
        self.characters += len(text)
        self.is_blank = self.is_blank and not text.strip()
        self.documents += len(part.texts) - self._inside
        self._lines += count_line_ends(text)
        if not self._has_blank_line:
            self._has_blank_line = has_blank_line(self._tail + text)
            self._tail = text[-2:]
        if self._is_files:
            self._lengths[-1] += len(text)
            self._lengths += [0] * part.ends
            if self.characters <= _SEARCHED and not self._has_quoted_line_end:
                self._has_quoted_line_end = _QUOTED_LINE_END.search(text) is not None

    @property
    def file_lengths(self) -> tuple[int, ...]:
        """The characters of each document; empty unless a document is a file."""
        return tuple(self._lengths[:-1])

    @property
    def looks_like_list(self) -> bool:
        """Whether whole files consist of many short lines, no blank line, and no record of several lines."""
        has_short_lines = self._lines >= _FEWEST_LINES and self.characters <= _LONGEST_LINE * self._lines
        is_divided = self._has_blank_line or self._has_quoted_line_end
        return self._is_files and has_short_lines and self._lines >= _LIST_LINES * self.documents and not is_divided

    @property
    def looks_sorted(self) -> bool:
        """Whether documents are in alphabetical order."""
        return self._differing >= _FEWEST_SORTED and self._ascending >= _SORTED_SHARE * self._differing

    def _compare_starts(self, texts: list[str]) -> None:
        for text in texts:
            key = text[:_SORT_KEY_LENGTH].casefold()
            self._ascending += key > self._previous_key
            self._differing += key != self._previous_key
            self._previous_key = key

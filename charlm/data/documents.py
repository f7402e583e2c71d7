"""How a text falls into documents: the whole file, lines, paragraphs, or what stands between separators."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from charlm.config import CorpusConfig

_CHUNK = 1 << 20  # most characters of a document that are buffered
_LINE_END = r"(?:\r\n|\n|\r)"
_BLANK_LINES = re.compile(rf"{_LINE_END}(?:[ \t]*{_LINE_END})+")


class Part(NamedTuple):
    """A part of a corpus: documents that follow each other, as many as fall into what is read at a time."""

    texts: list[str]
    """Each is a document; the first may be the rest of one that began in the part before."""
    ends: bool
    """Whether the last document ends here; if not, it continues in the next part."""


def cut_documents(texts: Iterable[str], config: CorpusConfig) -> Iterator[Part]:
    """Cut one source into documents at its separators, buffering only what may be part of a separator."""
    if config.documents == "file":
        empty = True
        for text in texts:
            empty = False
            yield Part([text], False)
        if not empty:
            yield Part([""], True)
        return
    cut = _cut(config)
    blanks = " \t" if config.documents == "paragraph" else ""
    grows = config.documents != "separator"  # a separator at the end of the buffer may continue in the next text
    buffer = ""
    inside = False  # whether a part of the current document was yielded
    for text in texts:
        buffer += text
        *whole, rest = cut(buffer)
        if whole:
            if documents := [*whole[:inside], *filter(None, whole[inside:])]:  # empty ones are left out
                yield Part(documents, True)
            inside = False
            if grows and not rest.strip(blanks):
                # Keep a shortened separator at the start of the buffer: there it yields no document.
                short = buffer[-len(rest) - 1] * (1 if config.documents == "line" else 2)
                rest = short + rest
            buffer = rest
        if len(buffer) > _CHUNK:
            overlap = len(config.separator or "") - 1  # characters that may begin a separator
            safe = len(buffer.rstrip(" \t\r\n")) if grows else len(buffer) - overlap
            if safe > 0:
                yield Part([buffer[:safe]], False)
                inside = True
                buffer = buffer[safe:]
    if config.documents == "paragraph":
        buffer = buffer.rstrip("\r\n")
    elif config.documents == "line":
        buffer = "" if buffer in ("\r", "\n") else buffer
    if buffer or inside:
        yield Part([buffer], True)


def _cut(config: CorpusConfig) -> Callable[[str], list[str]]:
    """The function that cuts a text at every separator."""
    if config.documents == "line":
        return lambda text: text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if config.documents == "paragraph":
        return _BLANK_LINES.split
    separator = config.separator
    return lambda text: text.split(separator)

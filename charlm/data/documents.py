"""How a text falls into documents: the whole file, lines, paragraphs, or what stands between separators."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from charlm.config import CorpusConfig
from charlm.data.inputs.line_ends import LINE_END, any_line_end, with_lf, with_whole_line_ends

_CHUNK = 1 << 20  # most characters of a document that are buffered


class Fragment(NamedTuple):
    """A part of a document."""

    text: str
    ends: bool
    """Whether the document ends with this fragment; the next fragment then starts another."""


def cut_documents(texts: Iterable[str], config: CorpusConfig) -> Iterator[Fragment]:
    """Cut one source into documents at its separators, buffering only what may be part of a separator."""
    if config.documents == "file":
        empty = True
        for text in texts:
            empty = False
            yield Fragment(text, False)
        if not empty:
            yield Fragment("", True)
        return
    if config.documents == "separator":
        assert config.separator is not None
        separator = re.compile(any_line_end(config.separator))
        overlap = len(with_lf(config.separator).replace("\n", "\r\n")) - 1  # characters that may begin a separator
        grows = False
    else:
        separator = re.compile(LINE_END if config.documents == "line" else rf"{LINE_END}(?:[ \t]*{LINE_END})+")
        overlap = 0
        grows = True  # a separator at the end of the buffer may continue in the next text
    buffer = ""
    inside = False  # whether a fragment of the current document was yielded
    for text in with_whole_line_ends(texts):
        buffer += text
        start = 0
        settled = len(buffer.rstrip(" \t")) if config.documents == "paragraph" else len(buffer)
        for match in separator.finditer(buffer):
            if match.start() > start or inside:
                yield Fragment(buffer[start : match.start()], True)
            inside = False
            start = match.end()
            if grows and match.end() >= settled:
                # Keep a shortened separator at the start of the buffer: there it yields no document.
                short = buffer[match.end() - 1] * (1 if config.documents == "line" else 2)
                buffer, start = short + buffer[match.end() :], 0
                break
        buffer = buffer[start:]
        if len(buffer) > _CHUNK:
            safe = len(buffer.rstrip(" \t\r\n")) if grows else len(buffer) - overlap
            if safe > 0:
                yield Fragment(buffer[:safe], False)
                inside = True
                buffer = buffer[safe:]
    if config.documents == "paragraph":
        buffer = buffer.rstrip("\r\n")
    elif config.documents == "line":
        buffer = "" if buffer in ("\r", "\n") else buffer
    if buffer or inside:
        yield Fragment(buffer, True)

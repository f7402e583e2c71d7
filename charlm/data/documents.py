"""How a text falls into documents: the whole file, lines, paragraphs, or what stands between separators."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from charlm.config import CorpusConfig, Labels
from charlm.data.inputs.line_ends import LINE_END, any_line_end, with_lf, with_whole_line_ends
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.word_split import last_border

_Key = TypeVar("_Key")

MOST_BUFFERED = 1 << 20
"""Characters of a document that are kept in memory until its end is found; a longer one goes out in several parts."""

_LONGEST = 1 << 16  # characters that are moved to the next part, so that it begins with a whole word
_BLANK_LINES = re.compile(rf"{LINE_END}(?:[ \t]*{LINE_END})+")


class Part(NamedTuple):
    """A part of a corpus: documents that follow each other, as many as fall into what is read at a time."""

    texts: list[str]
    """Each is a document; the first may be the rest of one that began in the part before."""
    ends: bool
    """Whether the last document ends here; if not, it continues in the next part."""
    labels: Labels = ()
    """The labels of each of these documents."""
    sources: tuple[str, ...] = ()
    """The source of each of these documents, if they are the targets of pairs; each then is whole."""


def cut_documents(texts: Iterable[str], config: CorpusConfig, *, keep_empty: bool = False) -> Iterator[Part]:
    """Cut one source into documents at its separators, buffering only what may be part of a separator.

    With documents "record" the source is the text of one record. `keep_empty` keeps empty files, lines and texts
    between separators; blank lines between paragraphs are no paragraphs.
    """
    if config.documents in ("file", "record"):
        empty = True
        for text in texts:
            empty = False
            yield Part([text], False)
        if keep_empty or not empty:
            yield Part([""], True)
        return
    cut = _cut(config)
    grows = config.documents == "paragraph"  # a separator at the end of the buffer may continue in the next text
    keep_empty = keep_empty and not grows
    separator = "\n" if config.separator is None else with_lf(config.separator)
    longest = 1 if separator == "\n" else len(separator.replace("\n", "\r\n"))  # characters of a separator
    buffer = ""
    inside = False  # whether a part of the current document was yielded
    for text in with_whole_line_ends(texts):
        buffer += text
        *whole, rest = cut(buffer)
        if whole:
            if documents := whole if keep_empty else [*whole[:inside], *filter(None, whole[inside:])]:
                yield Part(documents, True)
            inside = False
            if grows and not rest.strip(" \t"):
                # Keep a shortened separator at the start of the buffer: there it yields no document.
                rest = buffer[-len(rest) - 1] * 2 + rest
            buffer = rest
        if len(buffer) > MOST_BUFFERED:
            safe = len(buffer.rstrip(" \t\r\n")) if grows else len(buffer) - (longest - 1)
            if safe > 0:
                yield Part([buffer[:safe]], False)
                inside = True
                buffer = buffer[safe:]
    if config.documents == "paragraph":
        buffer = buffer.rstrip("\r\n")
    if buffer or inside:
        yield Part([buffer], True)


def _cut(config: CorpusConfig) -> Callable[[str], list[str]]:
    """The function that cuts a text at every separator."""
    if config.documents == "line":
        return lambda text: with_lf(text).split("\n")
    if config.documents == "paragraph":
        return _BLANK_LINES.split
    assert config.separator is not None
    return re.compile(any_line_end(config.separator)).split


def whole_words(parts: Iterable[tuple[_Key, Part]], tokenizer: type[Tokenizer]) -> Iterator[tuple[_Key, Part]]:
    """The same parts, but for a tokenizer of words, what follows the last white space of a part that doesn't end is
    moved to the next part, unless it is longer than `_LONGEST`."""
    if not tokenizer.splits_words:
        yield from parts
        return
    moved = ""
    for key, part in parts:
        texts = [moved + part.texts[0], *part.texts[1:]]
        moved = ""
        if not part.ends:
            last = texts[-1]
            end = last[-_LONGEST:]
            border = last_border(end)
            if border or len(last) < _LONGEST:
                cut = len(last) - len(end) + border
                texts[-1], moved = last[:cut], last[cut:]
        yield key, part._replace(texts=texts)

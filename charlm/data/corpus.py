"""A text as documents, and its contiguous training, validation and test splits.

A long corpus is never whole in memory: it is read in fragments, once for each pass over it. A document that a split
boundary cuts becomes two documents, so that each split consists of whole documents.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from charlm.config import CorpusConfig
from charlm.data.reader import TextReader
from charlm.data.sources import FoundText, TextLike, find_sources
from charlm.errors import CorpusError
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
_CHUNK = 1 << 20  # most characters of a document that are buffered
_SORT_KEY_LENGTH = 64  # characters of a document's start that decide whether documents are sorted
_LINE_END = r"(?:\r\n|\n|\r)"


class Fragment(NamedTuple):
    """A part of a document."""

    text: str
    ends: bool
    """Whether the document ends with this fragment; the next fragment then starts another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A text whose size and hash are known; made by `read_corpus`."""

    name: str
    config: CorpusConfig
    bytes: int
    """Bytes of the sources as stored."""
    characters: int
    """Characters of all documents, without the separators between them."""
    documents: int
    sha256: str
    """Hash of the source's bytes; with several sources, the hash of their hashes."""
    looks_like_list: bool
    """Whether whole files consist of many short lines and no blank line; `--documents line` is then probably meant."""
    looks_sorted: bool
    """Whether documents are in alphabetical order, so that each split starts with different letters."""
    _reader: TextReader = field(repr=False, compare=False)

    def boundaries(self) -> tuple[int, int, int]:
        """Where the three splits end, in characters from the start: floor(characters * cumulative per cent / 100)."""
        first, second, _ = self.config.splits
        return (
            int(self.characters * first // 100),
            int(self.characters * (first + second) // 100),
            self.characters,
        )

    def fragments(self) -> Iterator[tuple[int, Fragment]]:
        """All fragments in order, each with the index of its split in `SPLITS`.

        With documents "file" a split ends at its exact character. Smaller documents are never cut: each belongs to the
        split in which it starts. Raises `CorpusError` when a source can't be read again or has changed.
        """
        fragments = _documents(self._reader, self.config)
        cut = _cut_exactly if self.config.documents == "file" else _cut_between
        return cut(fragments, self.boundaries())

    def split_texts(self, split: str) -> Iterator[str]:
        """The text of one split in fragments, with documents run together; stops reading at the end of the split."""
        wanted = SPLITS.index(split)
        for index, fragment in self.fragments():
            if index > wanted:
                return
            if index == wanted:
                yield fragment.text

    def split_documents(self, split: str) -> Iterator[str]:
        """The documents of one split, each whole in memory; stops reading at the end of the split."""
        wanted, parts = SPLITS.index(split), list[str]()
        for index, fragment in self.fragments():
            if index > wanted:
                break
            if index == wanted:
                parts.append(fragment.text)
                if fragment.ends:
                    yield "".join(parts)
                    parts.clear()
        if parts:
            yield "".join(parts)

    def release_text(self) -> None:
        """Free the text kept in memory since the first reading; later readings open the sources again."""
        self._reader.release()


def corpus_config(found: FoundText, options: Mapping[str, Any]) -> CorpusConfig:
    """A configuration from the user's options, then the registry's settings, then the defaults."""
    values = dict(options)
    if values.get("separator") is not None:
        values.setdefault("documents", "separator")
    if found.named is not None:
        values.setdefault("documents", found.named.documents)
        if found.named.splits is not None:
            values.setdefault("splits", found.named.splits)
    return CorpusConfig(**values)


def open_corpus(text: TextLike, config: CorpusConfig, *, progress: Progress = silent) -> Corpus:
    """Find a text and read it once; raises the errors of `find_sources` and `read_corpus`."""
    return read_corpus(find_sources(text, progress=progress, encoding=config.encoding), config, progress=progress)


def read_corpus(found: FoundText, config: CorpusConfig, *, progress: Progress = silent) -> Corpus:
    """Read a text once: decode, count and hash it.

    Decoded text of up to 64 MiB stays in memory until `Corpus.release_text`.

    Raises `CorpusError` when the text is empty, or has undecodable bytes or NUL characters with errors "strict".
    """
    if found.skipped:
        logger.warning("skipped %d files without text, such as %s", len(found.skipped), found.skipped[0])
    reader = TextReader(found.sources, config)
    characters = documents = newlines = ascending = differing = 0
    blank_line = False
    tail = previous_key = ""
    starts = True
    for text, ends in _documents(reader, config, progress):
        if starts:
            key = text[:_SORT_KEY_LENGTH].casefold()
            ascending += key > previous_key
            differing += key != previous_key
            previous_key = key
        starts = ends
        characters += len(text)
        documents += ends
        newlines += text.count("\n")
        if not blank_line:
            joined = tail + text  # a blank line may span two fragments
            blank_line = "\n\n" in joined or "\n\r\n" in joined
            tail = text[-2:]
    total = sum(source.size for source in found.sources)
    progress("reading", total, total)
    if characters == 0:
        names = ", ".join(source.name for source in found.sources[:3])
        if reader.bytes > 0 and config.documents != "file":
            raise CorpusError(
                f"{names}: contains only document separators (--documents {config.documents}); give a file with text"
            )
        raise CorpusError(f"{names}: contains no text; give a file that isn't empty")
    short_lines = newlines >= 200 and characters <= 120 * newlines
    return Corpus(
        name=found.name,
        config=config,
        bytes=reader.bytes,
        characters=characters,
        documents=documents,
        sha256=reader.sha256,
        looks_like_list=config.documents == "file" and not blank_line and short_lines,
        looks_sorted=differing >= 200 and ascending >= 0.95 * differing,
        _reader=reader,
    )


def _documents(reader: TextReader, config: CorpusConfig, progress: Progress = silent) -> Iterator[Fragment]:
    """The documents of all sources, without empty ones."""
    for texts in reader.read(progress):
        yield from _cut_documents(texts, config)


def _cut_documents(texts: Iterable[str], config: CorpusConfig) -> Iterator[Fragment]:
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
        separator = re.compile(re.escape(config.separator))
        overlap = len(config.separator) - 1  # characters that may begin a separator
        grows = False
    else:
        separator = re.compile(_LINE_END if config.documents == "line" else rf"{_LINE_END}(?:[ \t]*{_LINE_END})+")
        overlap = 0
        grows = True  # a separator at the end of the buffer may continue in the next text
    buffer = ""
    inside = False  # whether a fragment of the current document was yielded
    for text in texts:
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


def _cut_exactly(fragments: Iterable[Fragment], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Fragment]]:
    """Add the split index to each fragment, cutting fragments, and so their documents, at split boundaries."""
    position = index = 0
    inside = False  # whether a document of this split has begun and not ended
    for text, ends in fragments:
        while len(text) > 0 and position + len(text) > boundaries[index]:
            room = boundaries[index] - position
            if room or inside:
                yield index, Fragment(text[:room], True)
            inside = False
            text, position = text[room:], boundaries[index]
            index += 1
        if text or (ends and inside):
            yield index, Fragment(text, ends)
            inside = not ends
        position += len(text)


def _cut_between(fragments: Iterable[Fragment], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Fragment]]:
    """Add to each fragment the index of the split in which its document starts."""
    position = index = 0
    starts = True
    for fragment in fragments:
        while starts and position >= boundaries[index] and index < len(boundaries) - 1:
            index += 1
        yield index, fragment
        position += len(fragment.text)
        starts = fragment.ends

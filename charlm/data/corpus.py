"""A text as documents, and its contiguous training, validation and test splits.

A long corpus is never whole in memory: it is read in fragments, once for each pass over it. A document that a split
boundary cuts becomes two documents, so that each split consists of whole documents.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from charlm.config import CorpusConfig
from charlm.data.documents import Fragment, cut_documents
from charlm.data.inputs.line_ends import count_line_ends, has_blank_line
from charlm.data.reader import TextReader
from charlm.data.sources import FoundText, TextLike, find_sources
from charlm.data.splits import SPLITS, assign_splits, boundaries
from charlm.errors import CorpusError
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

_QUOTED_LINE_END = re.compile(r"""(?:[\r\n,;\t|]|\A)"(?:[^"\r\n]|"")*[\r\n]""")
"""A field of a table (RFC 4180) that begins with a quotation mark and goes on in the next line."""
_SEARCHED = 1 << 20  # characters of the text, at its start, that are searched for such fields
_SORT_KEY_LENGTH = 64  # characters of a document's start that decide whether documents are sorted


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
    """Whether whole files consist of many short lines, no blank line, and no record of several lines;
    `--documents line` is then probably meant."""
    looks_sorted: bool
    """Whether documents are in alphabetical order, so that each split starts with different letters."""
    files: int
    """The number of sources."""
    _reader: TextReader = field(repr=False, compare=False)

    def boundaries(self) -> tuple[int, int, int]:
        """Where the three splits end, in characters from the start."""
        return boundaries(self.characters, self.config.splits)

    @property
    def undivided(self) -> str | None:
        """What to say of a text that nothing divides into documents; None for any other text."""
        kind = self.config.documents
        if self.documents > self.files:
            return None
        if kind == "separator":
            return (
                f"--separator {self.config.separator!r} never occurs between two documents of {self.name}; give the "
                "text that does"
            )
        if kind == "file" or self.files > 1:
            return None
        return f"{self.name} is a single {kind}, and with --documents {kind} a single document"

    def fragments(self) -> Iterator[tuple[int, Fragment]]:
        """All fragments in order, each with the index of its split in `SPLITS`.

        Raises `CorpusError` when a source can't be read again or has changed.
        """
        return assign_splits(_documents(self._reader, self.config), self.boundaries(), self.config)

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
    blank_line = quoted_line_end = False
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
        newlines += count_line_ends(text)
        if not blank_line:
            joined = tail + text  # a blank line may span two fragments
            blank_line = has_blank_line(joined)
            tail = text[-2:]
        if characters <= _SEARCHED and config.documents == "file":
            quoted_line_end = quoted_line_end or _QUOTED_LINE_END.search(text) is not None
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
        looks_like_list=config.documents == "file" and short_lines and not (blank_line or quoted_line_end),
        looks_sorted=differing >= 200 and ascending >= 0.95 * differing,
        files=len(found.sources),
        _reader=reader,
    )


def _documents(reader: TextReader, config: CorpusConfig, progress: Progress = silent) -> Iterator[Fragment]:
    """The documents of all sources, without empty ones."""
    for texts in reader.read(progress):
        yield from cut_documents(texts, config)

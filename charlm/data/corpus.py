"""A text as documents, and its contiguous training, validation and test parts.

A corpus is never held in memory whole: it is read in pieces, as often as there are passes over it. A document that a
split cuts in two becomes two documents, so that each part is complete in itself.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from charlm.config import CorpusConfig
from charlm.data.encoding import check_encoding, decoded
from charlm.data.registry import Source
from charlm.data.sources import Found, TextLike, find_sources
from charlm.errors import CorpusError
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
_CHUNK = 1 << 20  # characters of a document that are held back, at most
_BEGINNING = 64  # characters of a document by which it is sorted
_LINE_END = r"(?:\r\n|\n|\r)"


class Fragment(NamedTuple):
    """A stretch of a document."""

    text: str
    ends: bool
    """Whether the document ends after it; the next piece then begins another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A text whose size and hash are known; made by `read_corpus`."""

    name: str
    sources: tuple[Source, ...]
    config: CorpusConfig
    bytes: int
    """Bytes of the sources as they are stored."""
    characters: int
    """Characters of all documents, what stands between documents not counted."""
    documents: int
    sha256: str
    """Of the one source's bytes; of several sources, the hash of their hashes."""
    looks_like_list: bool
    """Many short lines and no blank one, read as whole files: `--documents line` is probably what is wanted."""
    looks_sorted: bool
    """Documents in the order of the alphabet, so that those of another split begin with other letters."""

    def boundaries(self) -> tuple[int, int, int]:
        """Where the three splits end, in characters from the start: floor(characters * cumulative per cent / 100)."""
        first, second, _ = self.config.splits
        return (
            int(self.characters * first // 100),
            int(self.characters * (first + second) // 100),
            self.characters,
        )

    def pieces(self) -> Iterator[tuple[int, Fragment]]:
        """All pieces in order, each with the index of its split in `SPLITS`.

        With documents "file" a split ends at its exact character. With smaller documents none is cut: each belongs to
        the split in which it starts.
        """
        pieces = _documents(self.sources, self.config, hashlib.sha256(), silent)
        cut = _cut_exactly if self.config.documents == "file" else _cut_between
        return cut(pieces, self.boundaries())

    def split_texts(self, split: str) -> Iterator[str]:
        """The text of one split, piece by piece, documents run together; reads no further than it must."""
        index = SPLITS.index(split)
        for at, piece in self.pieces():
            if at > index:
                return
            if at == index:
                yield piece.text

    def split_documents(self, split: str) -> Iterator[str]:
        """The documents of one split, each whole in memory."""
        index, parts = SPLITS.index(split), list[str]()
        for at, piece in self.pieces():
            if at > index:
                break
            if at == index:
                parts.append(piece.text)
                if piece.ends:
                    yield "".join(parts)
                    parts.clear()
        if parts:
            yield "".join(parts)


def corpus_config(found: Found, given: Mapping[str, Any]) -> CorpusConfig:
    """What the user says, then what the registry says, then the defaults."""
    values = dict(given)
    if values.get("separator") is not None:
        values.setdefault("documents", "separator")
    if found.named is not None:
        values.setdefault("documents", found.named.documents)
        if found.named.splits is not None:
            values.setdefault("splits", found.named.splits)
    return CorpusConfig(**values)


def open_corpus(text: TextLike, config: CorpusConfig, *, progress: Progress = silent) -> Corpus:
    """Find a text and read it through once; raises what `find_sources` and `read_corpus` do."""
    return read_corpus(find_sources(text, progress=progress, encoding=config.encoding), config, progress=progress)


def read_corpus(found: Found, config: CorpusConfig, *, progress: Progress = silent) -> Corpus:
    """Read a text through once: decode, count and hash it.

    Raises `CorpusError` when it holds no text, or has undecodable bytes or NUL characters with errors "strict".
    """
    if found.skipped:
        logger.warning("%d files that hold no text are left out, such as %s", len(found.skipped), found.skipped[0])
    digest = hashlib.sha256()
    characters = documents = newlines = read = ascending = differing = 0
    blank = False
    total = sum(source.size for source in found.sources)

    def count(what: str, done: int, of: int | None) -> None:
        nonlocal read
        read = done
        progress(what, done, of)

    last = before = ""
    begins = True
    for text, ends in _documents(found.sources, config, digest, count):
        if begins:
            beginning = text[:_BEGINNING].casefold()
            ascending += beginning > before
            differing += beginning != before
            before = beginning
        begins = ends
        characters += len(text)
        documents += ends
        newlines += text.count("\n")
        if not blank:
            near = last + text
            blank = "\n\n" in near or "\n\r\n" in near
            last = text[-2:]
    progress("reading", total, total)
    if characters == 0:
        names = ", ".join(source.name for source in found.sources[:3])
        if read > 0 and config.documents != "file":
            raise CorpusError(f"{names}: nothing but what separates documents (--documents {config.documents}) in it")
        raise CorpusError(f"{names}: no text in it; give a file that isn't empty")
    return Corpus(
        name=found.name,
        sources=found.sources,
        config=config,
        bytes=read,
        characters=characters,
        documents=documents,
        sha256=digest.hexdigest(),
        looks_like_list=config.documents == "file" and not blank and newlines >= 200 and characters <= 120 * newlines,
        looks_sorted=differing >= 200 and ascending >= 0.95 * differing,
    )


def _documents(
    sources: Iterable[Source], config: CorpusConfig, digest: "hashlib._Hash", progress: Progress
) -> Iterator[Fragment]:
    """All sources as documents; empty documents are left out."""
    sources = list(sources)
    check_encoding(config.encoding)
    total = sum(source.size for source in sources)
    read = 0
    for source in sources:
        own = digest if len(sources) == 1 else hashlib.sha256()
        done = 0

        def texts(source: Source = source, own: "hashlib._Hash" = own, before: int = read) -> Iterator[str]:
            nonlocal done
            for text, done in decoded(source, config, own):
                progress("reading", before + done, max(total, before + done))
                yield text

        try:
            yield from _cut_documents(texts(), config)
        except OSError as error:
            raise CorpusError(f"{source.name} can't be read: {error.strerror}") from None
        read += done
        if own is not digest:
            digest.update(own.digest())


def _cut_documents(texts: Iterable[str], config: CorpusConfig) -> Iterator[Fragment]:
    """Cut one source into documents at its separators, holding back only what may be part of one."""
    if config.documents == "file":
        some = False
        for text in texts:
            some = True
            yield Fragment(text, False)
        if some:
            yield Fragment("", True)
        return
    if config.documents == "separator":
        assert config.separator is not None
        separator = re.compile(re.escape(config.separator))
        held = len(config.separator) - 1
        grows = False
    else:
        separator = re.compile(_LINE_END if config.documents == "line" else rf"{_LINE_END}(?:[ \t]*{_LINE_END})+")
        held = 0
        grows = True  # a separator at the end of what was read may go on
    rest = ""
    inside = False  # a piece of the current document has gone out
    for text in texts:
        rest += text
        start = 0
        firm = len(rest.rstrip(" \t")) if config.documents == "paragraph" else len(rest)
        for match in separator.finditer(rest):
            if match.start() > start or inside:
                yield Fragment(rest[start : match.start()], True)
            inside = False
            start = match.end()
            if grows and match.end() >= firm:
                # Keep a short form of the separator at the head of what comes next: it yields no document there.
                end = rest[match.end() - 1] * (1 if config.documents == "line" else 2)
                rest, start = end + rest[match.end() :], 0
                break
        rest = rest[start:]
        if len(rest) > _CHUNK:
            safe = len(rest.rstrip(" \t\r\n")) if grows else len(rest) - held
            if safe > 0:
                yield Fragment(rest[:safe], False)
                inside = True
                rest = rest[safe:]
    if config.documents == "paragraph":
        rest = rest.rstrip("\r\n")
    elif config.documents == "line":
        rest = "" if rest in ("\r", "\n") else rest
    if rest or inside:
        yield Fragment(rest, True)


def _cut_exactly(pieces: Iterable[Fragment], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Fragment]]:
    """Give each piece its split, cutting pieces, and with them documents, where a split ends."""
    at = index = 0
    unfinished = False
    for text, ends in pieces:
        while len(text) > 0 and at + len(text) > boundaries[index]:
            room = boundaries[index] - at
            if room or unfinished:
                yield index, Fragment(text[:room], True)
            unfinished = False
            text, at = text[room:], boundaries[index]
            index += 1
        if text or (ends and unfinished):
            yield index, Fragment(text, ends)
            unfinished = not ends
        at += len(text)


def _cut_between(pieces: Iterable[Fragment], boundaries: tuple[int, ...]) -> Iterator[tuple[int, Fragment]]:
    """Give each document, whole, the split in which it starts."""
    at = index = 0
    starts = True
    for piece in pieces:
        while starts and at >= boundaries[index] and index < len(boundaries) - 1:
            index += 1
        yield index, piece
        at += len(piece.text)
        starts = piece.ends

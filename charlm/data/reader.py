"""Reading the sources of a corpus: decoded once while the text fits in memory, and hashed at every reading."""

import hashlib
import logging
import sys
from collections.abc import Iterator, Sequence

from charlm.ahead import read_ahead
from charlm.config import CorpusConfig
from charlm.data.documents import Part, cut_documents
from charlm.data.encoding import check_encoding, decoded
from charlm.data.inputs.records import read_records
from charlm.data.labels import source_labels
from charlm.data.registry import Source
from charlm.errors import CorpusError
from charlm.nouns import count_of
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

KEPT_BYTES = 64 << 20
"""Bytes of memory that decoded text may take to be kept for later readings."""

_NAMED = 3  # sources in a message
_LARGE = 8 << 20  # bytes of a file from which another thread reads ahead


class TextReader:
    """Reads the text of a corpus as often as needed.

    The first reading must run to the end: it sets `bytes` and `sha256`. It also keeps the decoded text in memory, up to
    `KEPT_BYTES`, so that later readings need not open the sources. A longer text, or one that was released, is read
    from its sources again; a source whose bytes have changed since the first reading is then an error.
    """

    def __init__(self, sources: tuple[Source, ...], config: CorpusConfig) -> None:
        """Raises `CorpusError` for an unknown encoding."""
        check_encoding(config.encoding)
        self.bytes = 0
        """Bytes of all sources, unpacked if they are compressed."""
        self.sources = sources
        self._config = config
        self._stored = 0  # bytes of the sources that were read
        self._expected = sum(source.size for source in sources)
        self._sizes: list[int] = []  # bytes of each source at the first reading
        self._digests: list[bytes] = []  # sha256 of each source at the first reading
        self._chunks: list[list[str]] | None = [[] for _ in sources]  # each source's text; None when too large
        self._kept_bytes = 0

    @property
    def sha256(self) -> str:
        """Hash of the source's bytes, unpacked; with several sources, the hash of their hashes."""
        if len(self._digests) == 1:
            return self._digests[0].hex()
        return hashlib.sha256(b"".join(self._digests)).hexdigest()

    def read(self, progress: Progress = silent) -> Iterator[Iterator[str]]:
        """The decoded text of each source in order, in chunks. Exhaust one source before taking the next.

        Args:
            progress: called with the bytes read, as stored, during the first reading.

        Raises:
            CorpusError: a source can't be read or decoded, or has changed since the first reading.
        """
        if self._chunks is not None and len(self._digests) == len(self.sources):
            yield from map(iter, self._chunks)
        else:
            for index in range(len(self.sources)):
                yield self._read_source(index, progress)

    def empty(self) -> list[Source]:
        """The sources without a byte; needs the first reading."""
        return [source for source, size in zip(self.sources, self._sizes, strict=True) if not size]

    def copies(self) -> list[tuple[str, str, int]]:
        """Sources with the same bytes as an earlier one: the names of both and the bytes; needs the first reading."""
        first: dict[bytes, str] = {}
        copies = []
        for source, digest, size in zip(self.sources, self._digests, self._sizes, strict=True):
            if digest in first:
                copies.append((source.name, first[digest], size))
            else:
                first[digest] = source.name
        return copies

    def release(self) -> None:
        """Free the text kept in memory; the next reading opens the sources again."""
        self._chunks = None

    def _read_source(self, index: int, progress: Progress) -> Iterator[str]:
        """The text of a source in parts.

        The first reading hashes and counts it, and keeps it while it fits in memory. Raises `CorpusError` if it can't
        be read, or at a later reading has changed.
        """
        source, digest = self.sources[index], hashlib.sha256()
        first_reading = index == len(self._digests)
        size = stored = 0
        chunks = decoded(source, self._config, digest)
        try:
            for chunk in read_ahead(chunks) if source.size >= _LARGE else chunks:
                size, stored = chunk.bytes, chunk.stored
                if first_reading:
                    self._keep(index, chunk.text)
                    done = self._stored + stored
                    progress("reading", done, max(self._expected, done))
                yield chunk.text
        except OSError as error:
            raise CorpusError(f"{source.name} can't be read: {error.strerror}") from None
        if first_reading:
            self.bytes += size
            self._stored += stored
            self._sizes.append(size)
            self._digests.append(digest.digest())
        elif digest.digest() != self._digests[index]:
            raise CorpusError(
                f"{source.name} changed while charlm was reading it; run the command again when nothing writes to it"
            )

    def _keep(self, index: int, text: str) -> None:
        if self._chunks is not None:
            self._kept_bytes += sys.getsizeof(text)
            if self._kept_bytes > KEPT_BYTES:
                self._chunks = None
            else:
                self._chunks[index].append(text)


def names_of(sources: Sequence[Source]) -> str:
    """The names of the first sources, and how many more there are."""
    names, more = ", ".join(source.name for source in sources[:_NAMED]), len(sources) - _NAMED
    return f"{names} and {count_of(more, 'more file')}" if more > 0 else names


def read_documents(
    reader: TextReader, config: CorpusConfig, progress: Progress = silent, *, keep_empty: bool = False
) -> Iterator[tuple[str, Part]]:
    """The documents of all sources with their labels, each part with the name of its source.

    Empty files, lines and records are no documents, unless `keep_empty`.

    Raises as `TextReader.read`, and `CorpusError` for a table without the columns of the configuration.
    """
    for source, texts in zip(reader.sources, reader.read(progress), strict=True):
        of_source = source_labels(source.name, config)
        if config.documents == "record":
            parts = read_records(texts, config, source.name, keep_empty=keep_empty)
        else:
            parts = cut_documents(texts, config, keep_empty=keep_empty)
        for part in parts:
            yield source.name, part._replace(labels=(*part.labels, *of_source)) if of_source else part


def stream_parts(
    sources: tuple[Source, ...], config: CorpusConfig, progress: Progress = silent
) -> Iterator[tuple[str, Part]]:
    """The documents of all sources as they are read, once and in bounded memory, each part with its source's name.

    The documents are those of a `Corpus` of the same text, with empty ones in their places. Raises as `read_documents`
    does, and `CorpusError` at the end of a text without characters. A text of white space alone is logged.
    """
    reader = TextReader(sources, config)
    reader.release()
    is_empty = is_blank = True
    for source, part in read_documents(reader, config, progress, keep_empty=True):
        is_empty = is_empty and not any(part.texts)
        is_blank = is_blank and not any(text.strip() for text in part.texts)
        yield source, part
    if is_empty:
        raise CorpusError(f"{names_of(sources)}: contains no text to score; give a file that isn't empty")
    if is_blank:
        logger.warning("%s: contains only white space", names_of(sources))

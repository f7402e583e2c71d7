"""A text as documents, and its contiguous training, validation and test splits.

A long corpus is never whole in memory: it is read in parts, once for each pass over it. A document that a split
boundary cuts becomes two documents, so that each split consists of whole documents.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from charlm.config import CorpusConfig, LabelColumn
from charlm.data.documents import Part
from charlm.data.inputs.overview import Overview
from charlm.data.inputs.table import Table, read_table
from charlm.data.labels import LabelCounts
from charlm.data.reader import TextReader, names_of, read_documents
from charlm.data.sources import FoundText, TextLike, find_sources
from charlm.data.splits import SPLITS, assign_splits, boundaries, cut_each, spread
from charlm.errors import CorpusError
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

_COPIES_SHARE = 0.01  # of the bytes, from which copies of files matter
_SPREAD = 20  # files of a label, on average, from which each file is in one split


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A text whose size and hash are known; made by `read_corpus`."""

    name: str
    config: CorpusConfig
    bytes: int
    """Bytes of the sources, unpacked if they are compressed."""
    characters: int
    """Characters of all documents, without the separators between them."""
    documents: int
    sha256: str
    """Hash of the source's bytes, unpacked; with several sources, the hash of their hashes."""
    looks_like_list: bool
    """Whether whole files consist of many short lines, no blank line, and no record of several lines;
    `--documents line` is then probably meant."""
    looks_sorted: bool
    """Whether documents are in alphabetical order, so that each split starts with different letters."""
    copies: tuple[tuple[str, str], ...]
    """Sources that are copies of earlier ones: the names of both. Empty if they are less than 1% of the bytes."""
    table: Table | None
    """The first of the files that is a table."""
    files: int
    """The number of sources."""
    _labels: LabelCounts = field(repr=False, compare=False)
    _cut: tuple[int, ...] = field(repr=False, compare=False)
    """The characters of each document, if each is cut where its splits end; see `parts`."""
    _reader: TextReader = field(repr=False, compare=False)

    def boundaries(self) -> tuple[int, int, int]:
        """Where the three splits end, in characters from the start; with labels, how many characters they have, about
        as many as that."""
        return boundaries(self.characters, self.config.splits)

    @property
    def undivided(self) -> str | None:
        """A clause about a text that nothing divides into documents; None for any other text."""
        kind = self.config.documents
        if kind == "file" or self.documents > self.files:
            return None
        if kind == "separator":
            what = f"--separator {self.config.separator!r} never occurs inside {self.name}"
            return f"{what}, so {'it' if self.files == 1 else 'each file'} is one document"
        return f"{self.name} is a single {kind}, so it is one document" if self.files == 1 else None

    def parts(self) -> Iterator[tuple[int, Part]]:
        """All parts in order, each with the index of its split in `SPLITS`.

        Labelled documents are spread over the splits, so that each split has its share of every label, and so are
        pairs. With few files for each label, every file is cut in three instead.

        Raises `CorpusError` when a source can't be read again or has changed.
        """
        documents = _documents(self._reader, self.config)
        if not self.config.is_spread:
            return assign_splits(documents, self.boundaries(), self.config)
        shares = self.config.splits
        return cut_each(documents, self._cut, shares) if self._cut else spread(documents, shares)

    def labels(self) -> tuple[LabelColumn, ...]:
        """The labels of the documents, to learn from; raises `CorpusError` for a label that can't be learnt."""
        return self._labels.columns(self.documents, () if self.table is None else self.table.columns)

    def split_texts(self, split: str) -> Iterator[str]:
        """The text of one split in parts, with documents run together; stops reading at the end of the split."""
        for part in self.split_parts(split):
            yield "".join(part.texts)

    def split_documents(self, split: str, *, longest: int | None = None) -> Iterator[str]:
        """The documents of one split, each whole in memory, or up to its first `longest` characters; stops reading at
        the end of the split."""
        begun, size = list[str](), 0  # the document that the last part has not ended, and its characters
        for texts, ends, *_ in self.split_parts(split):
            if longest is None or size < longest:
                begun.append(texts[0])
                size += len(texts[0])
            if len(texts) > 1 or ends:
                yield "".join(begun)[:longest]
                yield from (text[:longest] for text in texts[1 : len(texts) if ends else -1])
                begun = [] if ends else texts[-1:]
                size = sum(map(len, begun))
        if begun:
            yield "".join(begun)[:longest]

    def split_parts(self, split: str) -> Iterator[Part]:
        """The parts of one split; stops reading at the end of the split."""
        wanted = SPLITS.index(split)
        for index, part in self.parts():
            if index > wanted and not self.config.is_spread:
                return
            if index == wanted:
                yield part

    def release_text(self) -> None:
        """Free the text kept in memory since the first reading; later readings open the sources again."""
        self._reader.release()


def corpus_config(
    found: FoundText, options: Mapping[str, Any], *, default_splits: tuple[float, float, float] | None = None
) -> CorpusConfig:
    """A configuration from the user's options, then `default_splits`, the registry's settings, and the defaults."""
    values = dict(options)
    if default_splits is not None:
        values.setdefault("splits", default_splits)
    if values.get("separator") is not None:
        values.setdefault("documents", "separator")
    if any(values.get(name) is not None for name in ("text_column", "source_column", "target_column")):
        values.setdefault("documents", "record")
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

    Raises `CorpusError` when the text is empty or white space alone, or has undecodable bytes or NUL characters with
    errors "strict".
    """
    for folder in found.folders:
        if folder.kind == "folder" or len(folder.sources) > 1 or folder.left_out:
            logger.warning("%s", folder.summary())
    reader = TextReader(found.sources, config)
    overview, labels = Overview(config.documents), LabelCounts(config)
    for part in _documents(reader, config, progress):
        overview.add(part)
        labels.add(part.labels, len(part.texts) - (not part.ends))
    total = sum(source.size for source in found.sources)
    progress("reading", total, total)
    if overview.characters == 0:
        names = names_of(found.sources)
        if config.documents == "record" and reader.bytes > 0:
            column = config.target_column or config.text_column
            raise CorpusError(f"{names}: no record has a text in the column {column!r}; give another column")
        if reader.bytes > 0 and config.documents != "file":
            raise CorpusError(
                f"{names}: contains only document separators (--documents {config.documents}); give a file with text"
            )
        raise CorpusError(f"{names}: contains no text; give a file that isn't empty")
    if overview.is_blank:
        raise CorpusError(f"{names_of(found.sources)}: contains only white space; give a file with text")
    if empty := reader.empty():
        logger.warning("left out: %s empty (%s)", f"{len(empty):,}", names_of(empty))
    copies = reader.copies()
    return Corpus(
        name=found.name,
        config=config,
        bytes=reader.bytes,
        characters=overview.characters,
        documents=overview.documents,
        sha256=reader.sha256,
        looks_like_list=overview.looks_like_list,
        looks_sorted=overview.looks_sorted and not config.is_spread,
        copies=tuple((copy, first) for copy, first, _ in copies)
        if sum(size for *_, size in copies) >= _COPIES_SHARE * reader.bytes
        else (),
        table=next(filter(None, (read_table(path, config.encoding) for path in found.paths())), None),
        files=len(found.sources),
        _labels=labels,
        _cut=overview.file_lengths if overview.documents < _SPREAD * labels.most_values else (),
        _reader=reader,
    )


def _documents(reader: TextReader, config: CorpusConfig, progress: Progress = silent) -> Iterator[Part]:
    """The documents of all sources, without empty ones."""
    for _, part in read_documents(reader, config, progress):
        yield part

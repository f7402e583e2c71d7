"""Empty lines, records and files of a text: no model reads them, but the documents after them keep their numbers."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from charlm.config import Labels
from charlm.data.documents import Part


class EmptyDocument(NamedTuple):
    """A document without characters."""

    source: str
    labels: Labels
    number: int
    """Its number in the text, from 1."""


@dataclass(slots=True)
class _Run:
    """Empty documents that follow each other."""

    source: str
    labels: Labels
    after: int
    """How many documents with characters are before them."""
    documents: int


class EmptyDocuments:
    """Removes the empty documents of a text before it is scored, and lists them when the scores arrive."""

    def __init__(self) -> None:
        self.passed = 0
        """How many empty documents `before` has listed."""
        self._runs = deque[_Run]()

    def removed(self, parts: Iterable[tuple[str, Part]]) -> Iterator[tuple[str, Part]]:
        """The parts of a text without its empty documents."""
        documents, continues = 0, False  # documents with characters; whether the last of them continues
        for source, part in parts:
            if all(part.texts):
                documents += len(part.texts) - continues
                continues = not part.ends
                yield source, part
                continue
            kept, last = list[int](), len(part.texts) - 1
            for index, text in enumerate(part.texts):
                ends = part.ends or index < last
                if text or continues:
                    documents += not continues
                    continues = not ends
                    kept.append(index)
                elif ends:
                    self._add(source, part.labels, documents)
            if kept:
                texts, sources = [part.texts[index] for index in kept], part.sources
                own_sources = tuple(sources[index] for index in kept) if sources else ()
                yield source, Part(texts, part.ends or kept[-1] < last, part.labels, own_sources)

    def before(self, document: int | None) -> Iterator[EmptyDocument]:
        """The empty documents that were not listed yet and come before a document, or all of them.

        `document` is the number of one with characters, of which alone are counted.
        """
        while self._runs and (document is None or self._runs[0].after < document):
            run = self._runs.popleft()
            for _ in range(run.documents):
                self.passed += 1
                yield EmptyDocument(run.source, run.labels, run.after + self.passed)

    def _add(self, source: str, labels: Labels, after: int) -> None:
        if self._runs:
            last = self._runs[-1]
            if (last.source, last.labels, last.after) == (source, labels, after):
                last.documents += 1
                return
        self._runs.append(_Run(source, labels, after, 1))

"""The score of each document, line, sentence or word of a text, as it is read.

Every character belongs to one span. A line and a sentence include what follows them: the line end, or the white space.
A word, which is what lies between white space, includes the white space before it; an ideograph is a word. A token of
several characters is charged to the span of its last character. The scores add up exactly to that of the whole text;
see `charlm.evaluation.nats`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, islice, pairwise, tee
from typing import Any, Literal

import numpy as np

from charlm.config import Labels
from charlm.data.documents import Part
from charlm.data.inputs.borders import LINE_START, SENTENCE_START, WORD_START
from charlm.evaluation.score import perplexity
from charlm.evaluation.spans.characters import CharacterSums
from charlm.evaluation.spans.empty import EmptyDocuments
from charlm.evaluation.spans.reading import ScoredPart, read_parts
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes
from charlm.tokenizers import Tokenizer

SpanKind = Literal["document", "line", "sentence", "word"]

_STARTS: dict[SpanKind, re.Pattern[str]] = {"line": LINE_START, "sentence": SENTENCE_START, "word": WORD_START}
_CONTEXT = 1000  # characters before a part in which a border is searched
_KEPT = 1 << 20  # characters of a span's text that are kept
_TOGETHER = 1024  # spans that are encoded in one call


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanScore:
    """The score of a span of a text: a document, line, sentence or word."""

    source: str
    """The name of the file."""
    document: int
    """The number of the document, from 1; empty ones count."""
    number: int
    """The number of the span in its document, from 1."""
    start: int
    """The place of its first character in the document, from 0."""
    text: str
    """The text, or the first million characters of a longer one."""
    characters: int
    tokens: int
    """The tokens that it completes; for a document with its EOS."""
    unknown_characters: int
    nats: float
    """The nats of its characters; for a document with those of its EOS."""
    end_nats: float = 0.0
    """The nats of EOS, if the document ends after this span and the span is not the document."""
    labels: Labels = ()
    """The labels of the document."""

    @property
    def bits(self) -> float:
        """Total bits."""
        return self.nats / math.log(2)

    @property
    def bits_per_character(self) -> float | None:
        """Bits per character; None for an empty document."""
        return self.bits / self.characters if self.characters else None

    @property
    def perplexity(self) -> float | None:
        """exp(nats per token); infinite above exp(700), None if no token ends in the span."""
        return perplexity(self.nats / self.tokens) if self.tokens else None

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        derived = {"bits": self.bits, "bits_per_character": self.bits_per_character, "perplexity": self.perplexity}
        values = asdict(self)
        labels = values.pop("labels")
        return values | derived | ({"labels": dict(labels)} if labels else {})


@dataclass(slots=True)
class _Span:
    """A span that has begun."""

    source: str
    document: int
    number: int
    start: int
    labels: Labels
    texts: list[str] = field(default_factory=list)
    characters: int = 0
    tokens: int = 0
    unknown: int = 0
    nats: float = 0.0

    def add(self, text: str, nats: float, tokens: int, unknown: int) -> None:
        """Count the next part of the span; of its text only the first characters are kept."""
        if self.characters < _KEPT:
            self.texts.append(text[: _KEPT - self.characters])
        self.characters += len(text)
        self.nats += nats
        self.tokens += tokens
        self.unknown += unknown

    def score(self, end_nats: float = 0.0) -> SpanScore:
        """The score of the whole span; `end_nats` are those of the end of its document, if it is the last one."""
        return SpanScore(
            source=self.source,
            document=self.document,
            number=self.number,
            start=self.start,
            text=self.texts[0] if len(self.texts) == 1 else "".join(self.texts),
            characters=self.characters,
            tokens=self.tokens,
            unknown_characters=self.unknown,
            nats=self.nats,
            end_nats=end_nats,
            labels=self.labels,
        )


def score_spans(
    model: LanguageModel,
    tokenizer: Tokenizer,
    parts: Iterable[tuple[str, Part]],
    by: SpanKind,
    *,
    alone: bool = False,
    reads_empty: bool = False,
    processes: Processes | None = None,
) -> Iterator[SpanScore]:
    """Score each span of a text in order, as soon as the model has read it.

    An empty document is not read, unless `reads_empty`: it is a span of 0 nats if the spans are documents, and it
    counts in the numbers of documents.

    Args:
        model: scored in evaluation mode.
        tokenizer: the tokenizer of the model.
        parts: the text, with the names of its sources; see `charlm.data.reader.stream_parts`.
        by: what a span is.
        alone: read every span from the initial state instead of after what precedes it in its document, and at most
            its first million characters. A document is alone either way.
        reads_empty: read empty documents as others; they cost the nats of their end.
        processes: those that score the text together; see `read_parts`.
    """
    empty = EmptyDocuments()
    read = parts if reads_empty else empty.removed(parts)
    for span in _score(model, tokenizer, read, by, alone and by != "document", processes):
        yield from _empty_spans(empty, span.document, by)
        yield replace(span, document=span.document + empty.passed) if empty.passed else span
    yield from _empty_spans(empty, None, by)


def _empty_spans(empty: EmptyDocuments, document: int | None, by: SpanKind) -> Iterator[SpanScore]:
    """The spans of the empty documents before a document."""
    for source, labels, number in empty.before(document):
        if by == "document":
            yield _Span(source, number, 1, 0, labels).score()


def _score(
    model: LanguageModel,
    tokenizer: Tokenizer,
    parts: Iterable[tuple[str, Part]],
    by: SpanKind,
    alone: bool,
    processes: Processes | None,
) -> Iterator[SpanScore]:
    """`score_spans` of a text without empty documents."""
    if not alone:
        yield from spans_of(read_parts(model, tokenizer, parts, processes), by)
        return
    spans, texts = tee(spans_of(map(unscored, parts), by))
    found = spans_of(read_parts(model, tokenizer, _as_documents(texts), processes), "document", with_ends=False)
    for span, score in zip(spans, found, strict=True):
        yield replace(score, document=span.document, number=span.number, start=span.start)


def score_with_all(
    networks: Sequence[tuple[LanguageModel, Tokenizer]],
    parts: Iterable[tuple[str, Part]],
    by: SpanKind,
    *,
    alone: bool = False,
    processes: Processes | None = None,
) -> list[Iterator[SpanScore]]:
    """`score_spans` for each of several networks; the text is read once."""
    copies = tee(parts, len(networks))
    return [
        score_spans(model, tokenizer, copy, by, alone=alone, processes=processes)
        for (model, tokenizer), copy in zip(networks, copies, strict=True)
    ]


def spans_of(parts: Iterable[ScoredPart], by: SpanKind, *, with_ends: bool = True) -> Iterator[SpanScore]:
    """Add up scored characters by spans; `with_ends` says whether a document includes its EOS."""
    open_span: _Span | None = None
    document, context = 0, ""
    pattern = _STARTS.get(by)
    for part in parts:
        cuts = list[list[int]]()  # the borders in each text
        edges, offset = list[int](), 0
        for index, text in enumerate(part.texts):
            before = context if index == 0 and open_span is not None else ""
            cuts.append(_cuts(pattern, before, text))
            edges += (offset + cut for cut in cuts[-1][:-1])
            offset += len(text)
        edges.append(offset)
        sums = [np.diff(np.concatenate(([0], np.cumsum(values)))[edges]).tolist() for values in part.sums]
        figures = zip(*sums, strict=True)
        ends = iter(part.end_nats)
        for index, (text, borders) in enumerate(zip(part.texts, cuts, strict=True)):
            if open_span is None:
                document += 1
                open_span = _Span(part.sources[index], document, 1, 0, part.labels[index])
            for place, (first, last) in enumerate(pairwise(borders)):
                if place:
                    yield open_span.score()
                    following = open_span.start + open_span.characters
                    number = open_span.number + 1
                    open_span = _Span(part.sources[index], document, number, following, part.labels[index])
                open_span.add(text[first:last], *next(figures))
            if part.ends or index < len(part.texts) - 1:
                end = next(ends)
                if by == "document" and with_ends:
                    open_span.nats += end
                    open_span.tokens += 1
                if open_span.characters or by == "document":
                    yield open_span.score(0.0 if by == "document" else end)
                open_span, context = None, ""
            elif pattern is not None:
                context = (context + text)[-_CONTEXT:]


def _cuts(pattern: re.Pattern[str] | None, context: str, text: str) -> list[int]:
    """0, the places in a text where a span begins, and its length; 0 twice if one begins at the start."""
    if pattern is None or not text:
        return [0, len(text)]
    starts = (match.end() - len(context) for match in pattern.finditer(context + text))
    least = 0 if context else 1  # a document begins with a span
    return [0, *(start for start in starts if least <= start < len(text)), len(text)]


def unscored(part: tuple[str, Part]) -> ScoredPart:
    """A part as if it cost nothing, to find its spans."""
    source, (texts, ends, labels, _) = part
    nothing = np.zeros(sum(map(len, texts)))
    counts = nothing.astype(np.int64)
    ended = len(texts) - (not ends)
    return ScoredPart(
        texts=texts,
        sources=[source] * len(texts),
        ends=ends,
        sums=CharacterSums(nothing, counts, counts),
        end_nats=[0.0] * ended,
        labels=[labels] * len(texts),
    )


def _as_documents(spans: Iterator[SpanScore]) -> Iterator[tuple[str, Part]]:
    """Each span as a document."""
    while together := list(islice(spans, _TOGETHER)):
        for (source, labels), group in groupby(together, key=lambda span: (span.source, span.labels)):
            yield source, Part([span.text for span in group], True, labels)

"""Spans partition a text, and their scores add up to that of the whole text, to the last bit."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import Corpus
from charlm.data.dataset import make_dataset
from charlm.data.documents import Part, cut_documents
from charlm.data.reader import stream_parts
from charlm.data.sources import find_sources
from charlm.data.windows import scoring
from charlm.evaluation.score import evaluate
from charlm.evaluation.spans.reading import parts_of_strings
from charlm.evaluation.spans.scores import SpanKind, SpanScore, score_spans, spans_of, unscored
from charlm.text_model.strings import surprisal

KINDS: tuple[SpanKind, ...] = ("document", "line", "sentence", "word")
BOTTLES = "".join(
    f"{n} bottles of beer! “On the wall,” {n} böttles — of beer. 漢字と…\r\n" + "\n" * (n % 7 == 0) for n in range(60)
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of few documents, and documents that are longer than a block."""
    monkeypatch.setattr(scoring, "BLOCK_DOCUMENTS", 8)
    monkeypatch.setattr(scoring, "BLOCK_TOKENS", 500)


@pytest.fixture
def parts_of(tmp_path: Path) -> Callable[[Corpus], Iterator[tuple[str, Part]]]:
    """The parts of a corpus that was read from text.txt, as they are read from that file."""
    return lambda corpus: stream_parts(find_sources(tmp_path / "text.txt").sources, corpus.config)


@pytest.mark.parametrize("tokenizer", ["char", "byte", "subword", "word"])
@pytest.mark.parametrize("documents", ["file", "line", "paragraph"])
@pytest.mark.parametrize("blocks", ["small", "usual"])
def test_the_spans_of_every_kind_add_up_to_the_score_of_the_text(
    request, dataset_of, network_for, parts_of, tokenizer: str, documents: str, blocks: str
) -> None:
    if blocks == "small":
        request.getfixturevalue("small_blocks")
    training = BOTTLES.replace("字", "")  # which is then unknown to characters
    own = dataset_of(training, TokenizerConfig(kind=tokenizer, vocab_size=350), splits=(100, 0, 0))
    network, known = network_for(own), own.tokenizer
    dataset = dataset_of(BOTTLES, documents=documents, splits=(100, 0, 0))
    whole = evaluate(network, known, make_dataset(dataset.corpus, known).train)
    assert (whole.unknown_characters > 0) == (tokenizer == "char")
    for by in KINDS:
        spans = list(score_spans(network, known, parts_of(dataset.corpus), by))
        assert math.fsum(span.nats + span.end_nats for span in spans) == whole.nats
        assert sum(span.characters for span in spans) == whole.characters
        assert sum(span.unknown_characters for span in spans) == whole.unknown_characters
        assert len({span.document for span in spans if span.characters}) == whole.documents
        assert sum(span.tokens for span in spans) == whole.tokens - (0 if by == "document" else whole.documents)
        assert "".join(span.text for span in spans) == "".join(dataset.corpus.split_documents("train"))
        if by != "document":
            assert sum(span.end_nats > 0 for span in spans) == whole.documents
            assert [span.number for span in spans if span.start == 0] == [1] * whole.documents


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("documents", ["file", "line"])
def test_a_span_is_scored_given_what_precedes_it(dataset_of, network_for, parts_of, documents: str) -> None:
    """The longest document read in one go gives the same nats as in windows."""
    dataset = dataset_of(BOTTLES, documents=documents, splits=(100, 0, 0))
    network = network_for(dataset).double().eval()
    for span in score_spans(network, dataset.tokenizer, parts_of(dataset.corpus), "word"):
        if span.number == 1:
            text = BOTTLES if documents == "file" else BOTTLES.splitlines()[span.document - 1]
            nats = surprisal(network, dataset.tokenizer, text)
        assert span.nats == pytest.approx(sum(nats[span.start : span.start + span.characters]), abs=1e-4)


@pytest.mark.parametrize("by", KINDS)
def test_alone_each_span_is_read_from_the_initial_state(dataset_of, network_for, parts_of, by: SpanKind) -> None:
    dataset = dataset_of(BOTTLES, documents="paragraph", splits=(100, 0, 0))
    network = network_for(dataset).double().eval()
    given_past = list(score_spans(network, dataset.tokenizer, parts_of(dataset.corpus), by))
    alone = list(score_spans(network, dataset.tokenizer, parts_of(dataset.corpus), by, alone=True))
    where = [(span.document, span.number, span.start, span.text) for span in given_past]
    assert [(span.document, span.number, span.start, span.text) for span in alone] == where
    for span in alone[:40]:
        end = 0.0 if by != "document" else span.nats - sum(surprisal(network, dataset.tokenizer, span.text))
        assert end >= 0
        assert span.nats - end == pytest.approx(sum(surprisal(network, dataset.tokenizer, span.text)), abs=1e-4)
        assert span.end_nats == 0
    assert (given_past == alone) == (by == "document")


def cut(texts: list[str], by: SpanKind) -> list[str]:
    parts = (("", part) for part in cut_documents(texts, CorpusConfig()))
    return [span.text for span in spans_of(map(unscored, parts), by)]


@pytest.mark.parametrize(
    ("by", "spans"),
    [
        ("line", ["Mr. A said “Hi!” \n", "\r\n", "Then?\r", "他来了。我走。end"]),
        ("sentence", ["Mr. ", "A said “Hi!” \n\r\n", "Then?\r", "他来了。", "我走。", "end"]),
        ("word", ["Mr.", " A", " said", " “Hi!”", " \n\r\nThen?", "\r他", "来", "了。", "我", "走。end"]),
    ],
)
def test_spans_of_a_text_in_several_scripts(by: SpanKind, spans: list[str]) -> None:
    text = "Mr. A said “Hi!” \n\r\nThen?\r他来了。我走。end"
    assert cut([text], by) == spans
    assert cut([*text], by) == spans


@given(st.lists(st.text("ab .!”\n\r字。", max_size=6), max_size=8), st.sampled_from(KINDS))
def test_spans_are_cut_the_same_wherever_reading_stops(chunks: list[str], by: SpanKind) -> None:
    chunks = [*filter(None, chunks)]
    assert cut(chunks, by) == cut(["".join(chunks)] if chunks else [], by)
    assert "".join(cut(chunks, by)) == "".join(chunks)


def test_an_empty_string_costs_its_end_and_an_empty_line_nothing(dataset, network_for) -> None:
    network, tokenizer = network_for(dataset), dataset.tokenizer
    strings = [*score_spans(network, tokenizer, parts_of_strings(["", "a cat"]), "document", reads_empty=True)]
    assert [(span.document, span.tokens) for span in strings] == [(1, 1), (2, 6)] and strings[0].nats > 0
    lines = [*score_spans(network, tokenizer, parts_of_strings(["", "a cat", ""]), "document")]
    assert [(span.document, span.tokens) for span in lines] == [(1, 0), (2, 6), (3, 0)]
    assert lines[0].nats == lines[2].nats == 0 and lines[1].nats == pytest.approx(strings[1].nats)


def test_the_figures_of_a_span() -> None:
    span = SpanScore(
        source="a", document=1, number=1, start=0, text="abcd", characters=4, tokens=2, unknown_characters=0, nats=2.0
    )
    assert span.bits == pytest.approx(2 / math.log(2))
    assert span.bits_per_character == pytest.approx(0.5 / math.log(2))
    assert span.perplexity == pytest.approx(math.e)
    assert span.to_json()["bits"] == span.bits and span.to_json()["text"] == "abcd"

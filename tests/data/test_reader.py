"""A text is read once while it fits in memory; a longer one is checked for changes whenever it is read again."""

import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import reader as reader_module
from charlm.data.corpus import Corpus, open_corpus, read_corpus
from charlm.data.dataset import make_dataset
from charlm.data.reader import TextReader
from charlm.data.registry import Source
from charlm.data.sources import FoundText
from charlm.errors import CorpusError

LINES = "".join(f"Zeile Nummer {number}, größer als die vorige\n" for number in range(200))
CONFIG = CorpusConfig(documents="line", splits=(80, 10, 10))


class RecordedSource:
    """A source that counts how often it is opened; each opening reads the next of its contents, then the last again."""

    def __init__(self, *contents: str, name: str = "text.txt") -> None:
        self.name = name
        self.contents = contents
        self.opened = 0

    def open(self) -> io.BytesIO:
        content = self.contents[min(self.opened, len(self.contents) - 1)]
        self.opened += 1
        return io.BytesIO(content.encode())

    def corpus(self, config: CorpusConfig = CONFIG) -> Corpus:
        return corpus_of([self], config)


def corpus_of(sources: Iterable[RecordedSource], config: CorpusConfig = CONFIG) -> Corpus:
    readable = tuple(
        Source(name=source.name, size=len(source.contents[0].encode()), open=source.open) for source in sources
    )
    return read_corpus(FoundText(name="text", sources=readable, arguments=(), named=None), config)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text fits in memory."""
    monkeypatch.setattr(reader_module, "KEPT_BYTES", 0)


@pytest.mark.parametrize("kind", ["char", "byte", "subword", "word"])
def test_a_first_run_reads_each_source_once(kind: str) -> None:
    sources = [RecordedSource(LINES, name="a.txt"), RecordedSource(LINES[::-1], name="b.txt")]
    corpus = corpus_of(sources)
    make_dataset(corpus, TokenizerConfig(kind=kind, vocab_size=320))
    assert [source.opened for source in sources] == [1, 1]


def test_the_text_is_released_once_the_dataset_is_prepared() -> None:
    source = RecordedSource(LINES)
    corpus = source.corpus()
    before = list(corpus.split_documents("train"))
    assert source.opened == 1
    make_dataset(corpus, TokenizerConfig())
    assert list(corpus.split_documents("train")) == before
    assert source.opened == 2


def test_the_text_is_released_when_preparing_fails() -> None:
    source = RecordedSource("xy")
    corpus = source.corpus(CorpusConfig())
    with pytest.raises(CorpusError, match="split of text"):
        make_dataset(corpus, TokenizerConfig())
    list(corpus.parts())
    assert source.opened == 2


@pytest.mark.usefixtures("little_memory")
def test_a_text_too_long_for_memory_is_read_again() -> None:
    source = RecordedSource(LINES)
    make_dataset(source.corpus(), TokenizerConfig())
    assert source.opened == 3  # to count, to collect the vocabulary, to encode


@pytest.mark.parametrize("documents", ["file", "line", "paragraph"])
def test_memory_makes_no_difference(documents: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = LINES.replace("7,", "7\n\n")
    config = CorpusConfig(documents=documents)
    corpus = RecordedSource(text).corpus(config)
    monkeypatch.setattr(reader_module, "KEPT_BYTES", 0)
    reread = RecordedSource(text).corpus(config)
    assert list(corpus.parts()) == list(reread.parts())
    assert corpus == reread
    assert corpus.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_memory_is_bounded_by_what_the_text_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "KEPT_BYTES", 3000)
    for text, opened in (("a" * 2500, 1), ("a" * 3500, 2), ("я" * 2500, 2)):  # one byte a character, and two
        source = RecordedSource(text)
        list(source.corpus().parts())
        assert source.opened == opened
    many = [RecordedSource("a" * 100, name=f"{number}.txt") for number in range(30)]
    list(corpus_of(many).parts())
    assert [source.opened for source in many] == [2] * 30


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("reading", [1, 2], ids=["vocabulary", "encoding"])
def test_a_text_that_changes_between_readings_is_an_error(reading: int, tmp_path: Path) -> None:
    source = RecordedSource(*[LINES] * reading, LINES + "Nachtrag\n")
    corpus = source.corpus()
    with pytest.raises(CorpusError, match=r"^text\.txt changed while charlm was reading it; run the command again.*$"):
        make_dataset(corpus, TokenizerConfig())
    cached = [path.name for path in (tmp_path / "cache").glob("*/*") if path.parent.name != "native"]
    assert len(cached) == reading - 1  # the vocabulary, which was collected before the change


@pytest.mark.usefixtures("little_memory")
def test_the_source_that_changed_is_named() -> None:
    sources = [RecordedSource(LINES, name="a.txt"), RecordedSource("b", "c", name="b.txt")]
    with pytest.raises(CorpusError, match=r"^b\.txt changed"):
        list(corpus_of(sources).parts())


def test_a_source_that_is_gone_is_an_error(write: Callable[..., Path]) -> None:
    path = write(LINES)
    corpus = open_corpus(path, CONFIG)
    corpus.release_text()
    path.unlink()
    with pytest.raises(CorpusError, match=r"^text\.txt can't be read: No such file"):
        list(corpus.parts())


def test_several_sources_are_hashed_by_their_hashes() -> None:
    parts = [LINES, "b", ""]
    sources = tuple(
        Source(name=part[:1], size=len(part), open=lambda part=part: io.BytesIO(part.encode())) for part in parts
    )
    reader = TextReader(sources, CorpusConfig())
    assert [list(texts) for texts in reader.read()] == [[LINES], ["b"], []]
    digests = b"".join(hashlib.sha256(part.encode()).digest() for part in parts)
    assert (reader.sha256, reader.bytes) == (hashlib.sha256(digests).hexdigest(), sum(len(p.encode()) for p in parts))

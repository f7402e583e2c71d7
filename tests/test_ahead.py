import io
import threading
from collections.abc import Iterator

import pytest

from charlm import ahead
from charlm.ahead import map_ahead, read_ahead
from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import encoding
from charlm.data.corpus import read_corpus
from charlm.data.dataset import make_dataset
from charlm.data.encoded import split_writer
from charlm.data.registry import Source
from charlm.data.sources import FoundText
from charlm.errors import CharlmError

LINES = "".join(f"line {number} — of a text\n" for number in range(3000))


@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_in_order_and_few_items_are_read_before_they_are_needed(workers: int) -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(50):
            read = number
            yield number

    for index, result in enumerate(map_ahead(lambda item: item * item, items(), workers)):
        assert result == index * index and read <= index + workers
    assert [*read_ahead(items())] == [*range(50)]


@pytest.mark.parametrize("function", [read_ahead, lambda items: map_ahead(lambda item: item, items, 2)])
def test_an_error_arrives_after_what_precedes_it(function) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise CharlmError("damaged")

    found = list[int]()
    with pytest.raises(CharlmError, match="damaged"):
        found.extend(function(items()))
    assert found in ([0, 1, 2, 3, 4], [0, 1, 2], [])  # map_ahead reads two ahead


def test_no_thread_is_left_by_a_reading_that_is_given_up() -> None:
    before = threading.active_count()
    for reading in (read_ahead(range(50)), map_ahead(str, range(50), 4)):
        next(iter(reading))
        reading.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["char", "byte", "subword"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_the_tokens_do_not_depend_on_the_threads(tmp_path, monkeypatch: pytest.MonkeyPatch, kind, documents) -> None:
    """A source that says it is large is read by another thread."""
    monkeypatch.setattr(split_writer, "BATCH", 100)
    monkeypatch.setattr(encoding, "CHUNK", 70)
    files, readers = [], set[int]()

    def opened() -> io.BytesIO:
        readers.add(threading.get_ident())
        return io.BytesIO(LINES.encode())

    for processors, size in ((1, 0), (4, 1 << 30)):
        monkeypatch.setenv("CHARLM_CACHE", str(tmp_path / f"cache{processors}"))
        monkeypatch.setattr(ahead, "processors", lambda processors=processors: processors)
        text = FoundText(name="text", sources=(Source(name="text", size=size, open=opened),), arguments=(), named=None)
        corpus = read_corpus(text, CorpusConfig(documents=documents))
        assert (readers == {threading.get_ident()}) == (processors == 1)
        make_dataset(corpus, TokenizerConfig(kind=kind, vocab_size=300))
        (folder,) = (tmp_path / f"cache{processors}" / "tokens").iterdir()
        files.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert files[0] == files[1] and len(files[0]) == 7

"""Empty documents are not read, but keep their numbers."""

import pytest

from charlm.config import CorpusConfig
from charlm.data.documents import Part
from charlm.data.reader import stream_parts
from charlm.data.sources import find_sources
from charlm.evaluation.spans.empty import EmptyDocument, EmptyDocuments


def test_empty_documents_come_before_the_next_with_characters() -> None:
    empty = EmptyDocuments()
    one = (("stars", "1"),)
    parts = [
        ("a", Part(["", "x", ""], True)),
        ("b", Part(["", "y"], False, one)),  # y continues
        ("b", Part(["", "", ""], True, one)),
        ("c", Part([""], False)),  # a document that begins without characters
        ("c", Part(["z"], True)),
        ("d", Part(["", ""], True)),
    ]
    kept = [(source, part.texts, part.ends) for source, part in empty.removed(parts)]
    assert kept == [("a", ["x"], True), ("b", ["y"], False), ("b", [""], True), ("c", ["z"], True)]
    assert [*empty.before(1)] == [EmptyDocument("a", (), 1)] and empty.passed == 1
    assert [*empty.before(2)] == [EmptyDocument("a", (), 3), EmptyDocument("b", one, 4)]
    assert [*empty.before(3)] == [EmptyDocument("b", one, 6), EmptyDocument("b", one, 7)]
    assert [*empty.before(None)] == [EmptyDocument("d", (), 9), EmptyDocument("d", (), 10)]


def test_sources_of_pairs_stay_with_their_targets() -> None:
    parts = [("a", Part(["x", "", "y"], True, (), ("1", "", "2")))]
    assert [part for _, part in EmptyDocuments().removed(parts)] == [Part(["x", "y"], True, (), ("1", "2"))]


@pytest.mark.parametrize("documents", ["line", "separator", "file"])
def test_a_text_without_empty_documents_is_that_of_training(corpus_of, write, documents: str) -> None:
    mark = "%%" if documents == "separator" else "\n"
    options = {"documents": documents, "separator": mark if documents == "separator" else None, "splits": (100, 0, 0)}
    content = mark.join(["", "one", "", "", "two  ", " three", ""])
    corpus = corpus_of(content, **options)
    parts = stream_parts(find_sources(write(content)).sources, CorpusConfig(**options))
    kept = [text for _, part in EmptyDocuments().removed(parts) for text in part.texts]
    assert "".join(kept) == "".join(corpus.split_documents("train", longest=99))

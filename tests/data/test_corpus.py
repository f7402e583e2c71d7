import hashlib

import pytest

from charlm.config import CorpusConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.splits import SPLITS
from charlm.errors import CorpusError


def documents(corpus: Corpus) -> list[tuple[str, str]]:
    """All documents, each with the name of its split."""
    found, text = [], ""
    for split, piece in corpus.parts():
        for index, document in enumerate(piece.texts):
            text += document
            if piece.ends or index < len(piece.texts) - 1:
                found.append((SPLITS[split], text))
                text = ""
    assert text == ""
    return found


def test_splits_of_a_file_end_at_their_exact_character(corpus_of) -> None:
    text = "".join(chr(ord("a") + i % 26) for i in range(1003))
    corpus = corpus_of(text)
    assert documents(corpus) == [("train", text[:902]), ("valid", text[902:952]), ("test", text[952:])]


def test_lines_are_never_cut_by_a_split(corpus_of) -> None:
    corpus = corpus_of("".join(f"line {i:03}\n" for i in range(100)), documents="line", splits=(80, 10, 10))
    found = documents(corpus)
    assert [text for _, text in found] == [f"line {i:03}" for i in range(100)]
    assert [sum(split == name for split, _ in found) for name in SPLITS] == [80, 10, 10]


def test_size_and_hash(corpus_of) -> None:
    corpus = corpus_of("héllo\nwörld\n", documents="line", splits=(100, 0, 0))
    assert (corpus.bytes, corpus.characters, corpus.documents) == (14, 10, 2)
    assert corpus.sha256 == hashlib.sha256("héllo\nwörld\n".encode()).hexdigest()


@pytest.mark.parametrize("content", ["a\r\nb\r\n", "a\rb\r", "no newline at the end"])
def test_line_ends_are_kept(corpus_of, content: str) -> None:
    corpus = corpus_of(content, splits=(100, 0, 0))
    assert "".join(corpus.split_texts("train")) == content


@pytest.mark.parametrize("content", ["one\rtwo\rthree", "one\r\ntwo\r\nthree\r\n"])
def test_every_line_end_ends_a_line(corpus_of, content: str) -> None:
    corpus = corpus_of(content, documents="line", splits=(100, 0, 0))
    assert [text for _, text in documents(corpus)] == ["one", "two", "three"]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_error(corpus_of, content: bytes) -> None:
    with pytest.raises(CorpusError, match="contains no text"):
        corpus_of(content)


@pytest.mark.parametrize("kind", ["file", "line", "paragraph"])
def test_white_space_alone_is_an_error(corpus_of, kind: str) -> None:
    with pytest.raises(CorpusError, match=r"contains only white space; give a file with text"):
        corpus_of(" \n\t \u3000\n \n", documents=kind)


def test_empty_files_among_others_are_named(write, caplog: pytest.LogCaptureFixture) -> None:
    names = [write(content, name) for name, content in (("a.txt", "text"), ("b.txt", ""), ("c.txt", ""))]
    open_corpus(names, CorpusConfig())
    assert "left out: 2 empty (b.txt, c.txt)" in caplog.messages
    with pytest.raises(CorpusError, match=r"^b\.txt, b\.txt, b\.txt and 2 more files: contains no text"):
        open_corpus(names[1:2] * 5, CorpusConfig())


def test_an_empty_table_is_not_blamed_on_its_column(write) -> None:
    with pytest.raises(CorpusError, match=r"^table\.tsv: contains no text; give a file that isn't empty"):
        open_corpus(write("", "table.tsv"), CorpusConfig(documents="record", text_column="text"))


@pytest.mark.parametrize(
    ("documents", "content"), [("line", "\n\r\n\n"), ("paragraph", "\n \n\n"), ("separator", "%%%%")]
)
def test_a_text_of_separators_is_an_error_of_its_own(corpus_of, documents: str, content: str) -> None:
    separator = "%%" if documents == "separator" else None
    with pytest.raises(CorpusError, match=rf"contains only document separators \(--documents {documents}\)"):
        corpus_of(content, documents=documents, separator=separator)


def test_a_list_of_lines_looks_like_one(corpus_of) -> None:
    names = "".join(f"name{i}\n" for i in range(300))
    assert corpus_of(names).looks_like_list
    assert not corpus_of(names, documents="line").looks_like_list
    assert not corpus_of(names + "\n" + names).looks_like_list
    assert not corpus_of(names.replace("\n", "\r\n") + "\r\n" + names).looks_like_list
    assert corpus_of(names.replace("\n", "\r")).looks_like_list
    assert not corpus_of("a long line of prose without end " * 2000).looks_like_list


def test_a_table_whose_records_have_line_breaks_is_no_list_of_lines(corpus_of) -> None:
    records = "".join(f'{i},"a note of\r\ntwo lines","it said ""no"""\r\n' for i in range(200))
    assert not corpus_of("id,note,text\r\n" + records).looks_like_list
    assert corpus_of("".join(f'{i},"a note of one line","it said ""no"""\n' for i in range(200))).looks_like_list


def test_a_separator_that_divides_nothing_is_named(corpus_of) -> None:
    undivided = corpus_of("a\n%\nb", documents="separator", separator="%%\n").undivided
    assert undivided == "--separator '%%\\n' never occurs inside text, so it is one document"
    assert corpus_of("a\r\n%%\r\nb", documents="separator", separator="%%\n").undivided is None
    assert "is a single line" in corpus_of("one", documents="line").undivided
    assert corpus_of("one").undivided is None


def test_a_list_in_alphabetical_order_looks_sorted(corpus_of) -> None:
    names = [f"name {i:03}" for i in range(300)]
    lines = "".join(f"{name.title() if i % 3 else name}\n" for i, name in enumerate(names))
    assert corpus_of(lines, documents="line").looks_sorted
    assert not corpus_of(lines).looks_sorted
    assert not corpus_of("".join(f"{name}\n" for name in names[:150]), documents="line").looks_sorted
    assert not corpus_of("the same\n" * 150 + lines[:1500], documents="line").looks_sorted
    mixed = "".join(f"name {i * 101 % 300:03}\n" for i in range(300))
    assert not corpus_of(mixed, documents="line").looks_sorted


def test_long_documents_can_be_read_in_part(corpus_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charlm.data.encoding.CHUNK", 10)
    monkeypatch.setattr("charlm.data.documents.MOST_BUFFERED", 10)
    content = "a first document of a text\nb\nthe third document\n"
    for kind, whole in (("line", content.splitlines()), ("file", [content])):
        corpus = corpus_of(content, documents=kind, splits=(100, 0, 0))
        corpus.release_text()
        for longest in (1, 9, 10, 11, 20, 99):
            assert [*corpus.split_documents("train", longest=longest)] == [text[:longest] for text in whole]

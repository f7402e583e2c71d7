import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.config import CorpusConfig
from charlm.data import documents
from charlm.data.documents import cut_documents


def cut(texts: list[str], *, keep_empty: bool = False, **config) -> list[str]:
    found, text = [], ""
    for piece in cut_documents(texts, CorpusConfig(**config), keep_empty=keep_empty):
        for index, document in enumerate(piece.texts):
            text += document
            if piece.ends or index < len(piece.texts) - 1:
                found.append(text)
                text = ""
    assert text == ""
    return found


CHUNKS = st.lists(st.text("ab \n\r%", max_size=6), max_size=8)


@given(CHUNKS)
def test_lines_are_cut_the_same_wherever_reading_stops(chunks: list[str]) -> None:
    assert cut(chunks, documents="line") == [line for line in re.split(r"\r\n|\n|\r", "".join(chunks)) if line]


@given(CHUNKS)
def test_separators_are_found_wherever_reading_stops(chunks: list[str]) -> None:
    found = cut(chunks, documents="separator", separator="%%")
    assert found == [part for part in "".join(chunks).split("%%") if part]


@given(CHUNKS)
def test_empty_documents_are_kept_if_asked_for(chunks: list[str]) -> None:
    text = "".join(chunks)
    lines = re.split(r"\r\n|\n|\r", text)
    assert cut(chunks, documents="line", keep_empty=True) == (lines if lines[-1] else lines[:-1])
    parts = text.split("%%")
    kept = cut(chunks, documents="separator", separator="%%", keep_empty=True)
    assert kept == (parts if parts[-1] else parts[:-1])
    assert cut(chunks, documents="paragraph", keep_empty=True) == cut(chunks, documents="paragraph")


@given(CHUNKS)
def test_paragraphs_are_cut_the_same_wherever_reading_stops(chunks: list[str]) -> None:
    assert cut(chunks, documents="paragraph") == cut(["".join(chunks)], documents="paragraph")


def test_paragraphs_have_blank_lines_between() -> None:
    text = "\n\none\ntwo\r\n \t\r\n\n  three\n\n\nfour\n"
    assert cut([text], documents="paragraph") == ["one\ntwo", "  three", "four"]


def test_any_line_end_ends_a_paragraph_and_matches_that_of_a_separator() -> None:
    text = "one two three\nfour five six\n\nseven eight nine\n\nten eleven twelve\n"
    for end in ("\n", "\r\n", "\r"):
        own = text.replace("\n", end)
        paragraphs = [f"one two three{end}four five six", "seven eight nine", "ten eleven twelve"]
        for parts in ([own], list(own)):
            assert cut(parts, documents="paragraph") == paragraphs
            for separator in ("\n\n", "\r\n\r\n"):
                separated = cut(parts, documents="separator", separator=separator)
                assert separated == [*paragraphs[:2], paragraphs[2] + end]


@given(CHUNKS)
def test_separators_with_line_ends_are_found_wherever_reading_stops(chunks: list[str]) -> None:
    unified = "".join(chunks).replace("\r\n", "\n").replace("\r", "\n")
    found = cut(chunks, documents="separator", separator="\n%\n")
    assert [text.replace("\r\n", "\n").replace("\r", "\n") for text in found] == [
        part for part in unified.split("\n%\n") if part
    ]


@given(CHUNKS)
def test_a_long_document_goes_out_in_pieces(chunks: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "MOST_BUFFERED", 2)
        found = {kind: cut(chunks, documents=kind) for kind in ("line", "paragraph")}
        separated = cut(chunks, documents="separator", separator="%%")
    assert found["line"] == cut(chunks, documents="line")
    assert found["paragraph"] == cut(chunks, documents="paragraph")
    assert separated == cut(chunks, documents="separator", separator="%%")

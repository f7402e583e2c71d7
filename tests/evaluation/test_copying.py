import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.errors import ConfigError
from charlm.evaluation.copying import CopyIndex, Passage, find_copies

texts = st.text("ab", max_size=80)


def slow(text: str, documents: list[str], least: int) -> list[Passage]:
    """The definition: every passage that stands in a document and would not with one more on either side."""

    def stands(start: int, end: int) -> bool:
        return start >= 0 and end <= len(text) and any(text[start:end] in document for document in documents)

    return [
        Passage(start, end - start)
        for start in range(len(text))
        for end in range(start + least, len(text) + 1)
        if stands(start, end) and not stands(start - 1, end) and not stands(start, end + 1)
    ]


@given(st.lists(texts, max_size=3), texts, st.integers(1, 30))
def test_it_is_what_the_definition_says(documents: list[str], text: str, least: int) -> None:
    index = CopyIndex(documents, least=least)
    expected = slow(text, documents, least)
    found = find_copies(text, index)
    assert list(found.passages) == expected
    covered = {place for one in expected for place in range(one.start, one.start + one.length)}
    assert found.copied == len(covered)
    assert found.longest == max((one.length for one in expected), default=0)
    assert found.share == pytest.approx(len(covered) / max(1, len(text)))


@given(texts, st.integers(1, 30), st.data())
def test_a_passage_is_held_or_not(text: str, least: int, data) -> None:
    index = CopyIndex([text], least=least)
    passage = data.draw(st.text("ab", min_size=least, max_size=least + 3))
    assert index.holds(passage) == (passage in text)


def test_a_long_copy_in_other_words_is_found() -> None:
    book = "".join(f"Chapter {number}. It was night number {number * 7919 % 1000}. " for number in range(2000))
    text = "Here begins something. " + book[10_000:10_900] + "Here it ends."
    (one,) = find_copies(text, CopyIndex([book], least=40)).passages
    assert text[one.start : one.start + one.length] in book and one.length >= 900


def test_the_least_length_is_at_least_one() -> None:
    with pytest.raises(ConfigError, match="it must be at least 1"):
        CopyIndex(["text"], least=0)

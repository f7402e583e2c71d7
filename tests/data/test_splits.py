from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from charlm.config import CorpusConfig
from charlm.data.documents import Part
from charlm.data.splits import assign_splits, boundaries, cut_each, spread


@given(st.lists(st.text("ab", max_size=5), max_size=6), st.integers(0, 12), st.integers(0, 12))
def test_cutting_loses_nothing_and_ends_every_document(texts: list[str], first: int, second: int) -> None:
    total = sum(map(len, texts))
    ends = (min(first, total), min(first + second, total), total)
    pieces = [piece for text in texts if text for piece in (Part([text], False), Part([""], True))]
    parts, ended = ["", "", ""], True
    for split, piece in assign_splits(pieces, ends, CorpusConfig(documents="file")):
        parts[split] += piece.texts[0]
        ended = piece.ends
        assert piece.texts[0] or not ended or parts[split]
    whole = "".join(texts)
    assert parts == [whole[: ends[0]], whole[ends[0] : ends[1]], whole[ends[1] :]]
    assert ended


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.booleans())
def test_every_split_has_documents_from_everywhere(sizes: list[int], in_pieces: bool) -> None:
    """However documents are grouped into parts, a split has its share of any forty that follow each other."""
    numbers, parts = iter(range(1000)), list[Part]()
    for size in sizes:
        texts = [f"{next(numbers)} " for _ in range(size)]
        parts += (
            [Part([*texts[:-1], texts[-1][:1]], False), Part([texts[-1][1:]], True)]
            if in_pieces
            else [Part(texts, True)]
        )
    total = next(numbers)
    found, open_document = {0: "", 1: "", 2: ""}, None
    for split, piece in spread(parts, (80.0, 10.0, 10.0)):
        assert open_document in (None, split)
        open_document = None if piece.ends else split
        found[split] += "".join(piece.texts)
    documents = {split: [int(word) for word in text.split()] for split, text in found.items()}
    assert sorted(chain.from_iterable(documents.values())) == list(range(total))
    for first in range(0, total - 39, 7):
        counts = [sum(first <= number < first + 40 for number in own) for own in documents.values()]
        assert abs(counts[0] - 32) <= 2 and min(counts[1:]) >= 2


@given(st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=6))
def test_each_document_is_cut_in_three(texts: list[str]) -> None:
    pieces = [piece for text in texts for piece in (Part([text[:2]], False), Part([text[2:]], True))]
    found, expected = ["", "", ""], ["", "", ""]
    for split, piece in cut_each(pieces, map(len, texts), (50.0, 25.0, 25.0)):
        found[split] += piece.texts[0] + "|" * piece.ends
    for text in texts:
        first, second, _ = boundaries(len(text), (50.0, 25.0, 25.0))
        for split, part in enumerate((text[:first], text[first:second], text[second:])):
            expected[split] += part + "|" * bool(part)
    assert found == expected

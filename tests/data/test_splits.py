from hypothesis import given
from hypothesis import strategies as st

from charlm.config import CorpusConfig
from charlm.data.documents import Part
from charlm.data.splits import assign_splits


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

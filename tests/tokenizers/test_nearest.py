import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.errors import UnknownCharacterError
from charlm.tokenizers import ByteTokenizer, CharTokenizer
from charlm.tokenizers.nearest import clusters, nearest_text

ENGLISH = "".join(sorted(string.ascii_lowercase + "'\"-., \n"))


@pytest.mark.parametrize(
    ("character", "nearest"),
    [
        ("é", "e"),
        ("E", "e"),
        ("É", "e"),
        ("ø", "o"),
        ("Ł", "l"),
        ("ß", "ss"),
        ("ﬁ", "fi"),
        ("“", '"'),
        ("’", "'"),
        ("—", "-"),
        ("\u00a0", " "),
        ("…", "..."),
        ("Ａ", "a"),
        ("\t", " "),
        ("\r", "\n"),
        ("\r\n", "\n"),
        ("e\u0301", "e"),
        ("E\u0323\u0302", "e"),
        ("“\u0301", '"'),
        ("Ж", None),
        ("😀", None),
        ("\ud800", None),
    ],
)
def test_likenesses(character: str, nearest: str | None) -> None:
    assert nearest_text(character, ENGLISH.__contains__) == nearest


@pytest.mark.parametrize(
    ("known", "text"),
    [("café", "cafe\u0301"), ("cafe\u0301", "café"), ("각", "\u1100\u1161\u11a8"), ("ệ", "e\u0323\u0302")],
)
def test_a_text_is_composed_or_decomposed_to_known_characters(known: str, text: str) -> None:
    tokenizer = CharTokenizer("".join(sorted(set(known))))
    assert tokenizer.decode(tokenizer.encode(text, unknown="nearest")) == known
    assert tokenizer.equivalent(text) == known
    assert tokenizer.equivalent(text + "Ж") == text + "Ж"


def test_the_same_advice_is_not_given_twice() -> None:
    tokenizer = CharTokenizer(ENGLISH)
    with pytest.raises(UnknownCharacterError, match=r"at position 0 .* or pass --unknown nearest"):
        tokenizer.encode("é")
    with pytest.raises(UnknownCharacterError, match=r"at position 1 .*; remove it, or pass --unknown skip"):
        tokenizer.encode("éЖ", unknown="nearest")
    assert tokenizer.equivalent("é") == "é"


def test_the_closest_form_comes_first() -> None:
    assert nearest_text("e\u0301"[1], "e".__contains__) is None  # a mark alone is like nothing
    assert nearest_text("É", "eéE".__contains__) == "é"
    assert nearest_text("É", "eE".__contains__) == "E"
    assert nearest_text("ё", "еЁ".__contains__) == "Ё"
    assert nearest_text('"', "“'".__contains__) == "“"


@settings(max_examples=50)
@given(st.text())
def test_what_is_read_is_known(text: str) -> None:
    tokenizer = CharTokenizer(ENGLISH)
    try:
        ids = tokenizer.encode(text, unknown="nearest")
    except UnknownCharacterError as error:
        assert text[error.position] not in ENGLISH
        assert None in [nearest_text(part, ENGLISH.__contains__) for part in clusters(text)]
        return
    assert tokenizer.unk not in ids
    parts = [part if set(part) <= set(ENGLISH) else nearest_text(part, ENGLISH.__contains__) for part in clusters(text)]
    assert tokenizer.decode(ids) == "".join(parts)


@given(st.text("ae\u0301é\r\n\u1100\u1161Ж"))
def test_clusters_are_the_whole_text(text: str) -> None:
    parts = list(clusters(text))
    assert "".join(parts) == text
    assert "".join(unicodedata.normalize("NFC", part) for part in parts) == unicodedata.normalize("NFC", text)


def test_bytes_know_all_but_lone_surrogates() -> None:
    assert ByteTokenizer().encode("é", unknown="nearest").tolist() == [0xC3, 0xA9]
    with pytest.raises(UnknownCharacterError, match=r"at position 1"):
        ByteTokenizer().encode("a\ud800", unknown="nearest")

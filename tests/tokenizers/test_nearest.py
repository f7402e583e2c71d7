import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.errors import UnknownCharacterError
from charlm.tokenizers import ByteTokenizer, CharTokenizer
from charlm.tokenizers.nearest import nearest_text

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
        ("Ж", None),
        ("😀", None),
        ("\ud800", None),
    ],
)
def test_likenesses(character: str, nearest: str | None) -> None:
    assert nearest_text(character, ENGLISH.__contains__) == nearest


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
        assert nearest_text(text[error.position], ENGLISH.__contains__) is None
        return
    assert tokenizer.unk not in ids
    assert tokenizer.decode(ids) == "".join(nearest_text(part, ENGLISH.__contains__) or "" for part in text)


def test_bytes_know_all_but_lone_surrogates() -> None:
    assert ByteTokenizer().encode("é", unknown="nearest").tolist() == [0xC3, 0xA9]
    with pytest.raises(UnknownCharacterError, match="at position 1"):
        ByteTokenizer().encode("a\ud800", unknown="nearest")

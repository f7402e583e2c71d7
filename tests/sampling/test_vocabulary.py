import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.errors import ConfigError
from charlm.sampling import SampleConfig
from charlm.sampling.vocabulary import BannedTexts, Vocabulary
from charlm.tokenizers import ByteTokenizer


@pytest.fixture(scope="session")
def parts(word_tokenizer):
    """Tokens that are parts of each other."""
    return word_tokenizer("a", "b", "ab", "bca", "c", "abc ", " ", "é")


@given(st.lists(st.text("abcé ", min_size=1, max_size=4), max_size=3), st.text("abcé ", max_size=6))
def test_the_tokens_that_complete_a_ban_are_found(parts, bans: list[str], before: str) -> None:
    """Against a search through the text: a token is banned if a ban would end inside it."""
    vocabulary = Vocabulary(parts)
    found = BannedTexts(vocabulary, tuple(bans))
    tail = before.encode()
    banned = {*found.always} | {int(token) for tokens in found.after(tail) for token in tokens}
    for token, own in enumerate(vocabulary.bytes):
        ends = [
            place + len(ban.encode())
            for ban in bans
            for place in range(len(tail + own))
            if (tail + own).startswith(ban.encode(), place)
        ]
        assert (token in banned) == any(end > len(tail) for end in ends)


@pytest.mark.parametrize("banned", ["ab", "bca", "a", "abc ", "cabc"])
def test_a_ban_holds_across_tokens(parts, bigrams, write_texts, banned: str) -> None:
    model = bigrams(parts.vocab_size)
    free = "".join(text.text for text in write_texts(model, parts, 200, length=30))
    assert banned in free
    for text in write_texts(model, parts, 200, length=30, ban=(banned,)):
        assert banned not in text.text


def test_a_ban_holds_across_the_prefix(bigrams, write_texts, letters) -> None:
    model = bigrams(9)
    assert any(text.text.startswith("abc") for text in write_texts(model, letters, 100, prefix="ab", length=1))
    assert not any("abc" in text.text for text in write_texts(model, letters, 100, prefix="ab", length=1, ban=("abc",)))
    unwanted = write_texts(model, letters, 100, prefix="abc", length=1, ban=("abc",))  # the prefix itself is the user's
    assert all(text.text.startswith("abc") for text in unwanted)


def test_a_ban_leaves_characters_whole(bigrams, write_texts) -> None:
    """é is banned after its first byte was written; another character with that byte comes then."""
    tokenizer = ByteTokenizer()
    model = bigrams(tokenizer.vocab_size)
    model.table[:] = -20.0
    model.table[:, 0xC3] = 0.0
    model.table[0xC3] = -20.0
    model.table[0xC3, 0xA8:0xAA] = 0.0  # è or é
    assert {"é", "è"} == {character for text in write_texts(model, tokenizer, 20, length=9) for character in text.text}
    assert {"è"} == {
        character for text in write_texts(model, tokenizer, 20, length=9, ban=("é",)) for character in text.text
    }


def test_where_all_is_banned_a_text_ends_and_says_so(bigrams, write_texts, letters) -> None:
    every = tuple("abcdef")
    (text,) = write_texts(bigrams(9), letters, 1, length=9, ban=every)
    assert (text.text, text.ended) == ("", "eos")  # the end of the document is left
    (text,) = write_texts(bigrams(9), letters, 1, length=9, min_length=9, ban=every)
    assert (text.text, text.ended, text.log_probability) == ("", "banned", 0.0)
    pairs = tuple("a" + letter for letter in every)
    model = bigrams(9)
    model.table[:, letters.eos] = -50.0
    texts = write_texts(model, letters, 50, length=4, min_length=4, ban=pairs)
    assert {text.ended for text in texts} == {"banned", "length"}
    assert all("a" not in text.text[:-1] for text in texts)  # nothing may follow it
    assert all(text.text.endswith("a") for text in texts if text.ended == "banned")


def test_bans_are_checked() -> None:
    with pytest.raises(ConfigError, match="--ban is empty"):
        SampleConfig(ban=("",))
    with pytest.raises(ConfigError, match=r"U\+FFFD"):
        SampleConfig(ban=("a\ufffd",))

"""Bytes as tokens and back."""

import numpy as np
import pytest

from charlm.compression.symbols import Alphabet, UnknownSymbolError, has_crlf, separator_of
from charlm.config import CorpusConfig
from charlm.tokenizers.byte import ByteTokenizer
from charlm.tokenizers.char import CharTokenizer


def test_characters_that_are_unknown_and_bytes_that_are_no_text_are_escapes() -> None:
    alphabet = Alphabet(CharTokenizer("ab"), "")
    symbols = alphabet.encode("aéb".encode() + b"\xff\x00")
    assert symbols.ids.tolist() == [3, 2, 4, 2, 2]
    assert symbols.escapes.tolist() == [0xE9, 0xDCFF, 0]
    assert symbols.ends.tolist() == [1, 3, 4, 5, 6]
    assert [alphabet.bytes_of_escape(code) for code in symbols.escapes.tolist()] == ["é".encode(), b"\xff", b"\0"]
    with pytest.raises(UnknownSymbolError):
        alphabet.bytes_of_escape(0xD800)


@pytest.mark.parametrize("separator", ["\n", "\n\n", "%%"])
def test_a_separator_is_the_end_of_a_document(separator: str) -> None:
    alphabet, tokenizer = Alphabet(ByteTokenizer(), separator), ByteTokenizer()
    symbols = alphabet.encode(separator.join(["ab", "", "c"]).encode())
    assert symbols.ids.tolist() == [97, 98, tokenizer.eos, tokenizer.eos, 99]
    assert np.array_equal(np.diff(symbols.ends, prepend=0), [1, 1, len(separator), len(separator), 1])


def test_separators_follow_the_corpus() -> None:
    assert [separator_of(CorpusConfig(documents=kind)) for kind in ("file", "line", "paragraph")] == ["", "\n", "\n\n"]
    assert separator_of(CorpusConfig(documents="separator", separator="\r\n--")) == "\n--"
    assert has_crlf(b"a\r\nb\n") is False
    assert has_crlf(b"a\r\nb\r\n") is True

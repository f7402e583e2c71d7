import pytest

from charlm.config import TokenizerConfig
from charlm.errors import TokenizerError
from charlm.tokenizers import SubwordTokenizer


def fit(text: str, **settings) -> SubwordTokenizer:
    return SubwordTokenizer.fit([text[:1000], text[1000:]], len(text), TokenizerConfig(kind="subword", **settings))


ALGORITHMS = pytest.mark.parametrize("algorithm", ["unigram", "bpe"])


@ALGORITHMS
def test_characters_beyond_the_vocabulary_are_written_as_bytes(algorithm: str) -> None:
    text = "".join(chr(0x4E00 + n * 7 % 3000) for n in range(20_000))
    tokenizer = fit(text, vocab_size=1000, algorithm=algorithm)
    assert tokenizer.vocab_size <= 1000
    assert sum(len(tokenizer.encode(character)) == 3 for character in set(text)) > 2000
    assert tokenizer.decode(tokenizer.encode(text)) == text


@ALGORITHMS
def test_a_text_too_small_for_the_vocabulary_gets_fewer_subwords(algorithm: str) -> None:
    tokenizer = fit("hello", vocab_size=2000, algorithm=algorithm)
    assert 260 < tokenizer.vocab_size < 2000
    assert tokenizer.decode(tokenizer.encode("hello, world")) == "hello, world"


@ALGORITHMS
@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_text_without_a_word_is_an_error(algorithm: str, text: str) -> None:
    with pytest.raises(TokenizerError, match="smaller --vocab-size") as error:
        fit(text, vocab_size=300, algorithm=algorithm)
    assert "\n" not in str(error.value)

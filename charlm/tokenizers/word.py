"""Words as papers on word-level models split a text, or by Unicode word boundaries; other words are spelled in bytes.

A word includes the single space before it, and a line end the space before it, so that decoding only joins tokens: in
a text prepared for word-level models, whose lines look like " = Title = \\n", each token is one word or one line end.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from charlm.config import TokenizerConfig, Unknown, WordSplit
from charlm.errors import TokenizerError
from charlm.nouns import count_of
from charlm.tokenizers.base import Ids, Tokenizer, encodable, lengths
from charlm.tokenizers.word_split import pattern_of

logger = logging.getLogger(__name__)

UNKNOWN_WORD = "<unk>"
"""What a prepared text has in place of its rare words."""
_SPACE = ord(" ")
_FIRST_WORD = 258  # after 256 bytes, BOS and EOS
_MOST_WORDS = 60_000  # by default, so that an id takes two bytes
_MOST_COUNTED = 4_000_000  # distinct words; above, those that were met once are forgotten
_LOOKED_AT = 1 << 18  # characters at the start of a text that decide how it is split


class WordTokenizer(Tokenizer):
    """Ids 0 to 255 are bytes, BOS and EOS follow, then the words, the most frequent first.

    A word outside the vocabulary is spelled: its UTF-8 bytes, with that of the space before it, are a token each. So
    every text can be encoded, except for lone surrogates.
    """

    kind = "word"
    bos, eos, unk = 256, 257, None
    splits_words: ClassVar[bool] = True

    def __init__(self, split: WordSplit, words: Sequence[str]) -> None:
        """`split` is not "auto"; `words` are the vocabulary."""
        if len(set(words)) < len(words) or not all(words):
            raise TokenizerError("the vocabulary of a word tokenizer must be distinct words that aren't empty")
        self.split, self.words = split, tuple(words)
        self.vocab_size = _FIRST_WORD + len(words)
        self._id_of = {word: token for token, word in enumerate(words, _FIRST_WORD)}
        self._bytes = [*(bytes((byte,)) for byte in range(256)), b"", b"", *(word.encode() for word in words)]
        self._split = pattern_of(split).findall

    @classmethod
    def fit(cls, texts: Iterable[str], characters: int, config: TokenizerConfig) -> Self:
        """Collect the words that occur often enough."""
        start, texts = _start_of(texts)
        prepared = f" {UNKNOWN_WORD} " in start
        split = config.word_split
        if split == "auto":
            split = "whitespace" if prepared else "unicode"
        counts = _count(texts, split)
        least = config.min_count or (1 if prepared or config.vocab_size else 2)
        most = config.vocab_size or (len(counts) if prepared else _MOST_WORDS)
        frequent = ((word, count) for word, count in counts.items() if count >= least)
        ranked = sorted(frequent, key=lambda pair: (-pair[1], pair[0]))
        if not ranked:
            raise TokenizerError(
                f"no word of the text occurs {count_of(least, 'time')}; give a longer text, --min-count 1 or "
                "--tokenizer char"
            )
        kept = [word for word, _ in ranked[:most]]
        total = sum(counts.values())
        logger.info(
            "%s by %s; others are spelled: %.1f%% of the text's words",
            count_of(len(kept), "word"),
            "white space" if split == "whitespace" else "Unicode word boundaries",
            100 * (1 - sum(count for _, count in ranked[:most]) / total),
        )
        return cls(split, kept)

    def encode(self, text: str, *, unknown: Unknown = "error") -> Ids:
        """See `Tokenizer.encode`."""
        return np.fromiter(self._ids(encodable(text, unknown)), np.int32)

    def encode_joined(self, texts: Sequence[str]) -> tuple[Ids, NDArray[np.int64]]:
        """See `Tokenizer.encode_joined`; one array for all texts."""
        encoded = [[*self._ids(encodable(text, "replace"))] for text in texts]
        return np.fromiter(chain.from_iterable(encoded), np.int32), lengths(encoded)

    def _ids(self, text: str) -> Iterator[int]:
        id_of = self._id_of
        for word in self._split(text):
            token = id_of.get(word)
            if token is None:
                yield from word.encode()
            else:
                yield token

    def equivalent(self, text: str) -> str:
        """See `Tokenizer.equivalent`; the text after a space, if only so its first word is in the vocabulary.

        In a prepared text every word follows a space, and a prefix that is typed has none.
        """
        first = next(iter(self._split(text)), "")
        return f" {text}" if first not in self._id_of and f" {first}" in self._id_of else text

    def token_bytes(self, token: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        return self._bytes[token]

    def continues_spelling(self, before: NDArray[np.integer], tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """See `Tokenizer.continues_spelling`."""
        continues: NDArray[np.bool_] = self.is_spelling(tokens) & (tokens != _SPACE) & self.is_spelling(before)
        return continues

    def is_spelling(self, tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """See `Tokenizer.is_spelling`."""
        is_byte: NDArray[np.bool_] = (tokens >= 0) & (tokens < 256)
        return is_byte

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind, "split": self.split, "words": list(self.words)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """See `Tokenizer.from_json`."""
        split, words = values.get("split"), values.get("words")
        if split not in ("whitespace", "unicode"):
            raise TokenizerError(f"the word tokenizer splits by {split!r}; it must be whitespace or unicode")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise TokenizerError("the word tokenizer has no list of words")
        try:
            return cls(split, words)
        except UnicodeEncodeError:
            raise TokenizerError("a word of the word tokenizer has a lone surrogate") from None


def _start_of(texts: Iterable[str]) -> tuple[str, Iterator[str]]:
    """The start of a text, and all of it."""
    texts, read, length = iter(texts), list[str](), 0
    for text in texts:
        read.append(text)
        length += len(text)
        if length >= _LOOKED_AT:
            break
    return "".join(read)[:_LOOKED_AT], chain(read, texts)


def _count(texts: Iterable[str], split: WordSplit) -> Counter[str]:
    """How often each word occurs; of very many distinct words the rarest may be missing."""
    words_of = pattern_of(split).findall
    counts = Counter[str]()
    for text in texts:
        counts.update(words_of(encodable(text, "replace")))
        if len(counts) > _MOST_COUNTED:
            counts = Counter({word: count for word, count in counts.items() if count > 1})
    return counts

"""From the nats of tokens to those of characters: a token belongs to the character that it completes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charlm.evaluation.nats import Floats, unknown_nats
from charlm.tokenizers import Tokenizer

Integers = NDArray[np.int64]


class CharacterSums(NamedTuple):
    """What was counted for each of C characters."""

    nats: Floats
    """(C,), with the cost of unknown characters."""
    tokens: Integers
    """The tokens that the character completes, (C,)."""
    unknown: Integers
    """1 for a character outside the vocabulary, (C,)."""


class Characters:
    """Adds up tokens by the character that they complete, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._unk = tokenizer.unk
        self._unknown_nats = unknown_nats(tokenizer)
        self._sizes = np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)])

    def completed(self, ids: NDArray[np.integer], text: str) -> Integers:
        """The index of the character of `text` that each token completes, (N,), for all of its tokens."""
        if self._unk is not None:  # every character is a token
            return np.arange(len(ids))
        data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        character_of_byte = np.cumsum((data & 0xC0) != 0x80) - 1
        places: Integers = character_of_byte[np.maximum(np.cumsum(self._sizes[ids]) - 1, 0)]
        return places

    def sums(self, ids: NDArray[np.integer], nats: Floats, places: Integers, count: int) -> CharacterSums:
        """Add up N tokens.

        Args:
            ids: (N,), without BOS and EOS.
            nats: (N,), without the cost of unknown characters.
            places: the character that each token completes, (N,), from 0 to `count` - 1.
            count: C.
        """
        is_unknown = ids == (-1 if self._unk is None else self._unk)
        charged = nats + self._unknown_nats * is_unknown if is_unknown.any() else nats
        if self._unk is not None:
            return CharacterSums(charged, np.ones(count, np.int64), is_unknown.astype(np.int64))
        by_character = np.bincount(places, weights=charged, minlength=count).astype(np.float64)
        return CharacterSums(by_character, np.bincount(places, minlength=count), np.zeros(count, np.int64))

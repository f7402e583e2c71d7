"""Texts that are never written, wherever tokens begin and end."""

import numpy as np
from numpy.typing import NDArray

from charlm.sampling.vocabulary import Vocabulary


class Bans:
    """Which tokens would complete a banned text.

    The search is over bytes: in UTF-8 the bytes of one text stand inside those of another exactly where its characters
    do. So it holds for tokens that are part of a character, a character, or several words.
    """

    def __init__(self, vocabulary: Vocabulary, texts: tuple[str, ...]) -> None:
        banned = [text.encode("utf-8", "surrogatepass") for text in texts]
        self.reach = max((len(data) - 1 for data in banned), default=0)
        """How many of the last bytes written can be the beginning of a banned text."""
        self.always: list[int] = sorted({int(token) for data in banned for token in vocabulary.containing(data)})
        """Tokens that hold a banned text themselves."""
        self._completions: list[tuple[bytes, NDArray[np.int64]]] = []
        for data in banned:
            for cut in range(1, len(data)):
                tokens = vocabulary.beginning_with(data[cut:])
                if len(tokens):
                    self._completions.append((data[:cut], tokens))

    def after(self, tail: bytes) -> list[NDArray[np.int64]]:
        """Tokens that would complete a banned text after bytes that end with `tail`; those of `always` apart."""
        return [tokens for beginning, tokens in self._completions if tail.endswith(beginning)]

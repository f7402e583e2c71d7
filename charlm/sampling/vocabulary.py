"""Look-ups in the bytes of a tokenizer's tokens: which tokens begin with a text, contain it, or complete it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.sampling.config import Bias
from charlm.tokenizers import Tokenizer

Ids = NDArray[np.int64]


class Vocabulary:
    """The bytes of every token, and searches in them."""

    def __init__(self, tokenizer: Tokenizer, *, reversed_bytes: bool = False) -> None:
        """Read the bytes of all tokens; `reversed_bytes` reverses each, which is the order of a backward model."""
        self.size = tokenizer.vocab_size
        self.eos = tokenizer.eos
        self.never_written = list(tokenizer.never_written)
        step = -1 if reversed_bytes else 1
        self.bytes = [tokenizer.token_bytes(token)[::step] for token in range(self.size)]
        self.texts = [_text(data) for data in self.bytes]
        """The text of each token; None if it begins or ends inside a character."""

    def beginning_with(self, data: bytes) -> Ids:
        """Tokens whose bytes begin with `data`."""
        return np.array(
            [token for token, spelling in enumerate(self.bytes) if spelling.startswith(data)], dtype=np.int64
        )

    def containing(self, data: bytes) -> Ids:
        """Tokens whose bytes contain `data`."""
        return np.array([token for token, spelling in enumerate(self.bytes) if data in spelling], dtype=np.int64)

    def going_beyond(self, data: bytes) -> Ids:
        """Tokens that begin with `data` and are longer than it."""
        tokens = self.beginning_with(data)
        return tokens[[len(self.bytes[token]) > len(data) for token in tokens]] if len(tokens) else tokens

    def spell(self, tokens: Sequence[int]) -> bytes:
        """The bytes of a token sequence."""
        return b"".join(self.bytes[token] for token in tokens)

    def bias(self, biases: Sequence[Bias]) -> NDArray[np.float64]:
        """Nats to add to each logit, (V,): the biases, and -inf for tokens that are never written.

        Raises `ConfigError` for a text that isn't one token.
        """
        nats = np.zeros(self.size)
        for bias in biases:
            data = bias.text.encode("utf-8", "surrogatepass")
            tokens = [
                token
                for token, spelling in enumerate(self.bytes)
                if spelling == data and token not in self.never_written
            ]
            if not tokens:
                raise ConfigError(
                    f"--bias has {bias.text!r}, which is not a token of this model; give the text of one token, such "
                    "as a single character of the training text"
                )
            nats[tokens] += bias.nats
        nats[self.never_written] = -np.inf
        return nats


class BannedTexts:
    """Finds the tokens that would complete a banned text.

    The search is over bytes: in UTF-8 the bytes of a text occur in those of another text exactly where its characters
    occur. So a token may be part of a character, a character, or several words.
    """

    def __init__(self, vocabulary: Vocabulary, texts: tuple[str, ...]) -> None:
        banned = [text.encode("utf-8", "surrogatepass") for text in texts]
        self.reach = max((len(data) - 1 for data in banned), default=0)
        """How many of the last bytes of a text can begin a banned text; 0 if no search is needed."""
        self.always: list[int] = sorted({int(token) for data in banned for token in vocabulary.containing(data)})
        """Tokens that contain a whole banned text."""
        self._completions: list[tuple[bytes, Ids]] = []
        for data in banned:
            for cut in range(1, len(data)):
                tokens = vocabulary.beginning_with(data[cut:])
                if len(tokens):
                    self._completions.append((data[:cut], tokens))

    def after(self, tail: bytes) -> list[Ids]:
        """Tokens that would complete a banned text after the bytes `tail`, in addition to `always`."""
        return [tokens for beginning, tokens in self._completions if tail.endswith(beginning)]


def _text(data: bytes) -> str | None:
    """The bytes as text; None if they are not valid UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None

"""What a tokenizer's tokens write, laid out for looking up."""

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.sampling.config import parse_bias
from charlm.tokenizers import Tokenizer

Ids = NDArray[np.int64]


class Vocabulary:
    """The bytes of every token, and which tokens begin or spell a text."""

    def __init__(self, tokenizer: Tokenizer, *, turned: bool = False) -> None:
        """Lay out; `turned`, the bytes of each token stand in the order of a model that reads from the right."""
        self.size = tokenizer.vocab_size
        self.eos = tokenizer.eos
        self.never_written = list(tokenizer.never_written)
        self.bytes = [tokenizer.token_bytes(token)[:: -1 if turned else 1] for token in range(self.size)]
        self.texts = [_text(data) for data in self.bytes]
        """The text of each token; None where it ends or begins inside a character."""

    def beginning_with(self, data: bytes) -> Ids:
        """Tokens whose bytes begin with `data`."""
        return np.array([token for token, own in enumerate(self.bytes) if own.startswith(data)], dtype=np.int64)

    def containing(self, data: bytes) -> Ids:
        """Tokens whose bytes hold `data`."""
        return np.array([token for token, own in enumerate(self.bytes) if data in own], dtype=np.int64)

    def going_beyond(self, data: bytes) -> Ids:
        """Tokens that begin with `data` and are longer."""
        tokens = self.beginning_with(data)
        return tokens[[len(self.bytes[token]) > len(data) for token in tokens]] if len(tokens) else tokens

    def bias(self, settings: tuple[str, ...]) -> NDArray[np.float64]:
        """Nats to add to each logit, (V,): what the `--bias` settings say, and -inf for tokens that are never written.

        Raises `ConfigError` for a text that isn't one token.
        """
        nats = np.zeros(self.size)
        for setting in settings:
            text, value = parse_bias(setting)
            data = text.encode("utf-8", "surrogatepass")
            tokens = [token for token, own in enumerate(self.bytes) if own == data and token not in self.never_written]
            if not tokens:
                raise ConfigError(
                    f"--bias {setting!r}: {text!r} is not a token of this model; give a text that is, such as a single "
                    "character of its training text"
                )
            nats[tokens] += value
        nats[self.never_written] = -np.inf
        return nats


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None

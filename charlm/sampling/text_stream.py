"""One text as it is written: from tokens to characters, to where it ends."""

import copy
import math
from codecs import utf_8_decode
from collections import deque
from dataclasses import dataclass
from typing import Literal, Self

from charlm.sampling.config import SampleConfig
from charlm.sampling.vocabulary import Vocabulary

RECENT = 64
"""How many tokens back the repetition penalty looks."""

Ended = Literal["eos", "length", "stop", "banned"]
"""Why a text ended: the model ended the document, there was no room left, a stop text came, or no token may follow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedText:
    """A text that was written."""

    text: str
    """The prefix, unless it was not wanted, and what was written after it."""
    prefix: str
    ended: Ended
    log_probability: float
    """Nats of what was written after the prefix, and of the end where the model ended it: the model's own, without any
    control but steering, which makes another model of it. A token that was cut bears its share of characters."""
    characters: int
    """Characters after the prefix."""
    log_probabilities: tuple[float, ...]
    """Nats of each of them; the characters of a token share its evenly."""

    @property
    def bits_per_character(self) -> float:
        """-log2 p over the number of characters, at least 1; the model's end is charged to the text."""
        return -self.log_probability / math.log(2) / max(1, self.characters)


class TextStream:
    """Collects the tokens of a text, gives out what is certain of it, and knows when it ends."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: SampleConfig,
        *,
        tail: bytes = b"",
        skip: int = 0,
        owed: float = 0.0,
        before: str = "",
    ) -> None:
        """Begin after a prefix.

        Args:
            vocabulary: the model's.
            config: length, least length and stop texts are looked at.
            tail: the last bytes before the next token.
            skip: bytes of the next token that are the end of the prefix.
            owed: log-probability that the first character bears, beside its own.
            before: the characters of the prefix.
        """
        self._said_length = config.no_copy
        self.said = before[-config.no_copy :] if config.no_copy else ""
        self.tail = tail
        self.tokens = 0
        self.recent: deque[int] = deque(maxlen=RECENT)
        self.ended: Ended | None = "length" if config.longest == 0 else None
        self._vocabulary, self._length, self._least = vocabulary, config.longest, config.min_length
        self._stops = config.stop
        self._keep = max(map(len, config.stop), default=1) - 1
        self._tail_length = max((len(text.encode("utf-8", "surrogatepass")) for text in config.ban), default=0)
        self._skip, self._owed = skip, owed
        self._simple = not (config.stop or config.ban or config.no_copy or config.repetition_penalty != 1)
        self._given: list[str] = []
        self._given_length = 0
        self._held = ""  # characters that may turn out to begin a stop text
        self._pending = b""  # bytes of a character that isn't whole yet
        self._shares: list[float] = []

    def copy(self) -> Self:
        """Another writer that goes on from here."""
        other = copy.copy(self)
        other.recent = self.recent.copy()
        other._given, other._shares = self._given.copy(), self._shares.copy()
        return other

    @property
    def may_end(self) -> bool:
        """Whether the text has its least length."""
        return self._given_length + len(self._held) >= self._least

    @property
    def progress(self) -> float:
        """How far the text is: 0 for its first character, 1 for the last that there is room for."""
        return (self._given_length + len(self._held)) / max(1, self._length - 1)

    def push(self, token: int, log_probability: float = 0.0) -> str:
        """Take the next token, and give out the characters that are certain by now.

        Args:
            token: any that the tokenizer writes, or EOS.
            log_probability: the model's, nats.
        """
        self.tokens += 1
        self._owed += log_probability
        if token == self._vocabulary.eos:
            return self._finish()
        text = self._vocabulary.texts[token]
        if self._simple and text is not None and len(text) == 1 and not (self._pending or self._skip):
            self._shares.append(self._owed)  # as `_add` does, for one character
            self._owed = 0.0
            self._given.append(text)
            self._given_length += 1
            if self._given_length >= self._length:
                self.ended = "length"
            return text
        if text is None or self._pending or self._skip:
            data = self._vocabulary.bytes[token]
            if self._skip:
                data, self._skip = data[self._skip :], 0
            text, used = utf_8_decode(self._pending + data, "replace")
            self._pending = (self._pending + data)[used:]
        if self._tail_length:
            self.tail = (self.tail + self._vocabulary.bytes[token])[-self._tail_length :]
        self.recent.append(token)
        return self._add(text) if text else ""

    def characters_of(self, token: int) -> str:
        """The characters that a token would complete."""
        return utf_8_decode(self._pending + self._vocabulary.bytes[token][self._skip :], "replace")[0]

    def dead_end(self) -> str:
        """End the text since no token is left that may be written."""
        self.ended = "banned"
        return self._give(self._held)

    @property
    def text(self) -> str:
        """What was given out so far."""
        return "".join(self._given)

    def written(self, prefix: str, config: SampleConfig) -> GeneratedText:
        """The whole text, when it has ended."""
        assert self.ended is not None
        text = self.text
        shares = self._shares[: len(text)]
        total = math.fsum(shares) + (self._owed if self.ended == "eos" else 0.0)
        return GeneratedText(
            text=prefix + text if config.prefix_in_output else text,
            prefix=prefix,
            ended=self.ended,
            log_probability=total,
            characters=len(text),
            log_probabilities=tuple(shares),
        )

    def shares(self, start: int, end: int) -> tuple[float, ...]:
        """Log-probabilities of the characters from `start` to `end`, nats."""
        return tuple(self._shares[start:end])

    def _finish(self) -> str:
        given = ""
        if self._pending:
            rest, self._pending = self._pending.decode("utf-8", "replace"), b""
            given = self._add(rest)
        if self.ended is None:
            self.ended = "eos"
            given += self._give(self._held)
        return given

    def _add(self, text: str) -> str:
        """Take decoded characters, charge them what is owed, and give out what is certain."""
        self._shares += [self._owed / len(text)] * len(text)
        self._owed = 0.0
        if self._said_length:
            self.said = (self.said + text)[-self._said_length :]
        room = self._length - self._given_length
        if self._stops:
            text, self._held = self._held + text, ""
            at = self._stop_in(text)
            if at is not None and at <= room:
                self.ended = "stop"
                return self._give(text[:at])
            keep = self._beginning_of_stop(text)
            text, self._held = text[: len(text) - keep], text[len(text) - keep :]
        if len(text) + len(self._held) >= room:
            self.ended = "length"
            return self._give((text + self._held)[:room])
        return self._give(text)

    def _give(self, text: str) -> str:
        self._given.append(text)
        self._given_length += len(text)
        return text

    def _stop_in(self, text: str) -> int | None:
        """Where in `text` the first stop text begins, those passed over that begin before the least length."""
        start = max(0, self._least - self._given_length)
        return min((at for stop in self._stops if (at := text.find(stop, start)) >= 0), default=None)

    def _beginning_of_stop(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop text begins."""
        for length in range(min(len(text), self._keep), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0

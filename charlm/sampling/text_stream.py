"""One text while it is written: from tokens to characters, to its end."""

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
"""Why a text ended: the model ended the document, there was no room left, a stop text came, or no token was allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedText:
    """A whole text."""

    text: str
    """The prefix, if it is wanted in the output, and what was written after it."""
    prefix: str
    ended: Ended
    log_probability: float
    """Nats of what was written after the prefix, and of EOS if the model ended the text. They are the model's own,
    without any control except steering. A token that was cut counts by its share of characters."""
    characters: int
    """Characters after the prefix."""
    log_probabilities: tuple[float, ...]
    """Nats of each of these characters; the characters of a token share its nats evenly."""

    @property
    def bits_per_character(self) -> float:
        """-log2 p over the number of characters, at least 1; EOS is charged to the text."""
        return -self.log_probability / math.log(2) / max(1, self.characters)


class StopTexts:
    """The texts before which a text ends."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts
        self._longest = max(map(len, texts), default=1) - 1

    def __bool__(self) -> bool:
        return bool(self._texts)

    def find(self, text: str, start: int) -> int | None:
        """Where the first stop text begins, at `start` or later; None if there is none."""
        return min((at for stop in self._texts if (at := text.find(stop, start)) >= 0), default=None)

    def unfinished(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop text begins."""
        for length in range(min(len(text), self._longest), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._texts):
                return length
        return 0


class TextStream:
    """Collects the tokens of a text, gives out characters as soon as they are certain, and knows when the text ends."""

    def __init__(
        self, vocabulary: Vocabulary, config: SampleConfig, *, prefix: str = "", rest: bytes = b"", nats: float = 0.0
    ) -> None:
        """Begin after a prefix.

        Args:
            vocabulary: of the model.
            config: its length, least length, stop and banned texts count here.
            prefix: what the text begins with.
            rest: the end of the prefix that the next token repeats (see `charlm.sampling.prefix`).
            nats: a log-probability that is charged to the first character.
        """
        self._vocabulary, self._config, self._prefix = vocabulary, config, prefix
        self.last_characters = prefix[-config.no_copy :] if config.no_copy else ""
        """The end of the text, as many characters as `no_copy` looks back."""
        data = prefix.encode("utf-8", "surrogatepass")
        self.tail = data.removesuffix(rest) if rest else data
        """The last bytes before the next token."""
        self.tokens = 0
        self.recent: deque[int] = deque(maxlen=RECENT)
        self.ended: Ended | None = "length" if config.max_length == 0 else None
        self._stops = StopTexts(config.stop)
        self._tail_length = max((len(text.encode("utf-8", "surrogatepass")) for text in config.ban), default=0)
        self._skip, self._uncharged = len(rest), nats
        self._simple = not (config.stop or config.ban or config.no_copy or config.repetition_penalty != 1)
        self._max_length = config.max_length
        self._parts: list[str] = []
        self._length = 0
        self._held_back = ""  # characters that may turn out to begin a stop text
        self._pending = b""  # bytes of an unfinished character
        self._nats: list[float] = []  # of each character

    def copy(self) -> Self:
        """Another stream that continues from here."""
        other = copy.copy(self)
        other.recent = self.recent.copy()
        other._parts, other._nats = self._parts.copy(), self._nats.copy()
        return other

    @property
    def text(self) -> str:
        """What was given out so far."""
        return "".join(self._parts)

    @property
    def may_end(self) -> bool:
        """Whether the text has its least length."""
        return self._length + len(self._held_back) >= self._config.min_length

    @property
    def progress(self) -> float:
        """How far the text is: 0 for its first character, 1 for the last that there is room for."""
        return (self._length + len(self._held_back)) / max(1, self._max_length - 1)

    def push(self, token: int, log_probability: float = 0.0) -> str:
        """Take the next token, and give out the characters that are certain by now.

        Args:
            token: any that is written, or EOS.
            log_probability: the model's, nats.
        """
        self.tokens += 1
        self._uncharged += log_probability
        if token == self._vocabulary.eos:
            return self._end_document()
        text = self._vocabulary.texts[token]
        if self._simple and text is not None and len(text) == 1 and not (self._pending or self._skip):
            self._nats.append(self._uncharged)  # as `_add` does, for one character
            self._uncharged = 0.0
            self._parts.append(text)
            self._length += 1
            if self._length >= self._max_length:
                self.ended = "length"
            return text
        if text is None or self._pending or self._skip:
            data = self._vocabulary.bytes[token][self._skip :]
            self._skip = 0
            text, used = utf_8_decode(self._pending + data, "replace")
            self._pending = (self._pending + data)[used:]
        if self._tail_length:
            self.tail = (self.tail + self._vocabulary.bytes[token])[-self._tail_length :]
        self.recent.append(token)
        return self._add(text) if text else ""

    def completed_by(self, token: int) -> str:
        """The characters that a token would complete."""
        return utf_8_decode(self._pending + self._vocabulary.bytes[token][self._skip :], "replace")[0]

    def dead_end(self) -> str:
        """End the text because no token is allowed."""
        self.ended = "banned"
        return self._give_out(self._held_back)

    def nats_of(self, start: int, end: int) -> tuple[float, ...]:
        """Log-probabilities of the characters from `start` to `end`."""
        return tuple(self._nats[start:end])

    def result(self) -> GeneratedText:
        """The whole text, once it has ended."""
        assert self.ended is not None
        text = self.text
        nats = self._nats[: len(text)]
        return GeneratedText(
            text=self._prefix + text if self._config.prefix_in_output else text,
            prefix=self._prefix,
            ended=self.ended,
            log_probability=math.fsum(nats) + (self._uncharged if self.ended == "eos" else 0.0),
            characters=len(text),
            log_probabilities=tuple(nats),
        )

    def _end_document(self) -> str:
        given_out = ""
        if self._pending:
            rest, self._pending = self._pending.decode("utf-8", "replace"), b""
            given_out = self._add(rest)
        if self.ended is None:
            self.ended = "eos"
            given_out += self._give_out(self._held_back)
        return given_out

    def _add(self, text: str) -> str:
        """Take decoded characters, charge the nats since the last to them, and give out what is certain."""
        self._nats += [self._uncharged / len(text)] * len(text)
        self._uncharged = 0.0
        if self._config.no_copy:
            self.last_characters = (self.last_characters + text)[-self._config.no_copy :]
        room = self._max_length - self._length
        if self._stops:
            text, self._held_back = self._held_back + text, ""
            at = self._stops.find(text, max(0, self._config.min_length - self._length))
            if at is not None and at <= room:
                self.ended = "stop"
                return self._give_out(text[:at])
            keep = self._stops.unfinished(text)
            text, self._held_back = text[: len(text) - keep], text[len(text) - keep :]
        if len(text) + len(self._held_back) >= room:
            self.ended = "length"
            return self._give_out((text + self._held_back)[:room])
        return self._give_out(text)

    def _give_out(self, text: str) -> str:
        self._parts.append(text)
        self._length += len(text)
        return text

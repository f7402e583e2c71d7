"""One text while it is written: its tokens are decoded to characters until the text ends."""

import copy
import math
import re
from codecs import utf_8_decode
from collections import deque
from dataclasses import dataclass
from typing import Literal, Self

from charlm.data.inputs.line_ends import any_line_end, with_lf
from charlm.sampling.config import SampleConfig
from charlm.sampling.vocabulary import Vocabulary

RECENT = 64
"""How many tokens back the repetition penalty looks."""

Ended = Literal["eos", "length", "stop", "banned"]
"""Why a text ended: EOS was drawn, the maximum length was reached, a stop text was written, or no token was allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedText:
    """A finished text."""

    text: str
    """The text, with the prefix if `SampleConfig.prefix_in_output`."""
    prefix: str
    ended: Ended
    log_probability: float
    """The model's log-probability of the text after the prefix, and of EOS if the model ended it, nats. No control
    except steering affects it. A token that is cut at the end counts by its share of characters."""
    characters: int
    """Number of characters after the prefix."""
    log_probabilities: tuple[float, ...]
    """Nats of each of these characters; those of a token are divided evenly among its characters."""

    @property
    def bits_per_character(self) -> float:
        """-log2 p / max(1, number of characters); EOS is included in p."""
        return -self.log_probability / math.log(2) / max(1, self.characters)


class StopTexts:
    """Searches a text for the stop texts, before which it ends; a line end in them stands for any line end."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = tuple(map(with_lf, texts))
        self._patterns = [re.compile(any_line_end(text)) for text in texts]
        self._longest = max((len(text) + text.count("\n") for text in self._texts), default=1) - 1

    def __bool__(self) -> bool:
        return bool(self._texts)

    def find(self, text: str, start: int) -> int | None:
        """The position of the first stop text at or after `start`; None if there is none."""
        return min((match.start() for stop in self._patterns if (match := stop.search(text, start))), default=None)

    def unfinished(self, text: str) -> int:
        """The length of the longest end of `text` that a stop text begins with."""
        for length in range(min(len(text), self._longest), 0, -1):
            if any(stop.startswith(with_lf(text[-length:])) for stop in self._texts):
                return length
        return 0


class TextStream:
    """Collects the tokens of a text, emits characters that can no longer change, and decides when the text ends."""

    def __init__(
        self, vocabulary: Vocabulary, config: SampleConfig, *, prefix: str = "", rest: bytes = b"", nats: float = 0.0
    ) -> None:
        """Begin after a prefix.

        Args:
            vocabulary: the vocabulary of the model.
            config: the settings; length, minimum length, stop texts and banned texts are used here.
            prefix: what the text begins with.
            rest: the end of the prefix that the next token repeats (see `charlm.sampling.prefix`).
            nats: log-probability that is charged to the first character.
        """
        self._vocabulary, self._config, self._prefix = vocabulary, config, prefix
        self.last_characters = prefix[-config.no_copy :] if config.no_copy else ""
        """The last `no_copy` characters of the text."""
        data = prefix.encode("utf-8", "surrogatepass")
        self.tail = data.removesuffix(rest) if rest else data
        """The last bytes before the next token, which may begin a banned text."""
        self.tokens = 0
        """Number of tokens so far."""
        self.recent: deque[int] = deque(maxlen=RECENT)
        """The tokens to which the repetition penalty applies."""
        self.ended: Ended | None = "length" if config.max_length == 0 else None
        self._stops = StopTexts(config.stop)
        self._tail_length = max((len(text.encode("utf-8", "surrogatepass")) for text in config.ban), default=0)
        self._skip, self._uncharged = len(rest), nats
        self._simple = not (config.stop or config.ban or config.no_copy or config.repetition_penalty != 1)
        self._max_length = config.max_length
        self._parts: list[str] = []
        self._length = 0
        self._held_back = ""  # last characters, which may begin a stop text
        self._pending = b""  # bytes of an unfinished character
        self._nats: list[float] = []  # one for each character

    def copy(self) -> Self:
        """A copy that can continue independently."""
        other = copy.copy(self)
        other.recent = self.recent.copy()
        other._parts, other._nats = self._parts.copy(), self._nats.copy()
        return other

    @property
    def text(self) -> str:
        """The characters emitted so far."""
        return "".join(self._parts)

    @property
    def may_end(self) -> bool:
        """Whether the text has its minimum length."""
        return self._length + len(self._held_back) >= self._config.min_length

    @property
    def progress(self) -> float:
        """0 at the first character of the text, 1 at the last of its maximum length."""
        return (self._length + len(self._held_back)) / max(1, self._max_length - 1)

    def push(self, token: int, log_probability: float = 0.0) -> str:
        """Add the next token, and emit the characters that can no longer change.

        Args:
            token: the token to add: EOS, or any token that can be written.
            log_probability: the log-probability that the model gives the token, nats.
        """
        self.tokens += 1
        self._uncharged += log_probability
        if token == self._vocabulary.eos:
            return self._end_document()
        text = self._vocabulary.texts[token]
        if self._simple and text is not None and len(text) == 1 and not (self._pending or self._skip):
            self._nats.append(self._uncharged)  # the same as `_add`, for one character
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
        """End the text because no token is allowed; emits the rest of it."""
        self.ended = "banned"
        return self._emit(self._held_back)

    def nats_of(self, start: int, end: int) -> tuple[float, ...]:
        """Nats of the characters from `start` to `end`."""
        return tuple(self._nats[start:end])

    def result(self) -> GeneratedText:
        """The whole text; only after it has ended."""
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
        """End the text with EOS, and emit the rest of it."""
        emitted = ""
        if self._pending:
            rest, self._pending = self._pending.decode("utf-8", "replace"), b""
            emitted = self._add(rest)
        if self.ended is None:
            self.ended = "eos"
            emitted += self._emit(self._held_back)
        return emitted

    def _add(self, text: str) -> str:
        """Add decoded characters, charge them the nats since the last ones, and emit what can no longer change."""
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
                return self._emit(text[:at])
            keep = self._stops.unfinished(text)
            text, self._held_back = text[: len(text) - keep], text[len(text) - keep :]
        if len(text) + len(self._held_back) >= room:
            self.ended = "length"
            return self._emit((text + self._held_back)[:room])
        return self._emit(text)

    def _emit(self, text: str) -> str:
        self._parts.append(text)
        self._length += len(text)
        return text

"""One text while it is written: its tokens are decoded to characters until the text ends."""

import copy
import math
from codecs import utf_8_decode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from charlm.data.inputs.borders import WORD, unit_of
from charlm.sampling.config import USUAL_LENGTH, SampleConfig
from charlm.sampling.constraints.constraint import Constraint
from charlm.sampling.constraints.constraint_state import ConstraintState
from charlm.sampling.edges.stop_texts import StopTexts
from charlm.sampling.vocabulary import Vocabulary

_LAST_WORD = 40  # characters before the maximum length
RECENT = 64
"""How many tokens back the repetition penalty looks."""

Ended = Literal["eos", "length", "stop", "constraint", "banned"]
"""Why a text ended: EOS was drawn, the maximum length was reached, a stop text was written, the constraint doesn't
allow what would come next, or no token was allowed."""


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
    source: str | None = None
    """The source for which the text was written."""

    @property
    def bits_per_character(self) -> float:
        """-log2 p / max(1, number of characters); EOS is included in p."""
        return -self.log_probability / math.log(2) / max(1, self.characters)


class TextStream:
    """Collects the tokens of a text, emits characters that can no longer change, and decides when the text ends."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: SampleConfig,
        *,
        prefix: str = "",
        rest: bytes = b"",
        nats: float = 0.0,
        constraint: Constraint | None = None,
    ) -> None:
        """Begin after a prefix.

        Args:
            vocabulary: the vocabulary of the model.
            config: the settings; length, minimum length, stop texts and banned texts are used here.
            prefix: what the text begins with.
            rest: the end of the prefix that the next token repeats (see `charlm.sampling.edges.prefix`).
            nats: log-probability that is charged to the first character.
            constraint: what the text after the prefix must satisfy.
        """
        self.constraint_state = None if constraint is None else ConstraintState(constraint, rest)
        """The state of the constraint; None without one."""
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
        self._unit_from = config.may_end_with_unit
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
        other.constraint_state = None if self.constraint_state is None else self.constraint_state.copy()
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
    def room(self) -> int:
        """How many characters may still be written."""
        return self._max_length - self._length - len(self._held_back) - bool(self._pending)

    @property
    def is_free(self) -> bool:
        """Whether the constraint is satisfied, whatever follows."""
        return self.constraint_state is None or self.constraint_state.is_free

    def can_take(self, token: int) -> bool:
        """Whether the constraint can be satisfied after a token whose chance is above -inf."""
        if self.constraint_state is None:
            return True
        if not self.constraint_state.reaches(token, self.room):
            return False
        if not (self._stops and self.constraint_state.following.ended[token]):
            return True
        trial = self.copy()  # a stop text ends it further back
        trial.push(token)
        return trial._is_accepted(trial.text)

    @property
    def progress(self) -> float:
        """0 at the first character of the text, 1 at the last of its length."""
        last = (USUAL_LENGTH if self._unit_from is not None else self._max_length) - 1
        return (self._length + len(self._held_back)) / max(1, last)

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
        if self.constraint_state is not None and (size := self.constraint_state.push(token)) is not None:
            return self._end_inside(token, size)
        text = self._vocabulary.texts[token]
        if self._simple and text is not None and len(text) == 1 and not (self._pending or self._skip):
            self._nats.append(self._uncharged)  # the same as `_add`, for one character
            self._uncharged = 0.0
            self._parts.append(text)
            self._length += 1
            if self._length >= self._max_length:
                self.ended = "length"
            elif self._unit_from is not None and self._length >= self._unit_from:
                self._simple = False  # from here on `_add` looks for the end of a sentence
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
            source=self._config.source,
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

    def _end_inside(self, token: int, size: int) -> str:
        """End the text with the first `size` bytes of a token, because the constraint doesn't allow more of it."""
        data = self._vocabulary.bytes[token][self._skip :]
        text, whole = ((self._pending + part).decode("utf-8", "replace") for part in (data[:size], data))
        self._pending = b""
        stops = bool(self._stops) and self._stops.find(self._held_back + whole, 0) is not None
        self._uncharged *= len(text) / max(1, len(whole))
        emitted = self._add(whole if stops else text) if text or stops else ""
        if self.ended is None:
            self.ended = "constraint"
            emitted += self._emit(self._held_back)
        return emitted

    def _is_accepted(self, text: str) -> bool:
        """Whether the constraint allows the text after the prefix to be this one."""
        state = self.constraint_state
        return state is None or state.constraint.accepts_text(text.encode("utf-8", "replace"))

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
            if at is not None and at <= room and self._is_accepted(self.text + text[:at]):
                self.ended = "stop"
                return self._emit(text[:at])
            keep = self._stops.unfinished(text)
            text, self._held_back = text[: len(text) - keep], text[len(text) - keep :]
        if len(text) + len(self._held_back) >= room:
            self.ended = "length"
            text, self._held_back = (text + self._held_back)[:room], ""
        if self._unit_from is not None and self._length + len(text) >= self._unit_from:
            text = self._to_end_of_unit(text, self._unit_from)
        return self._emit(text)

    def _to_end_of_unit(self, text: str, least: int) -> str:
        """The part of `text`, which has not been emitted, up to the end of a sentence; the text ends with it.

        If there is no such end, it is the end of a line or word: in a text without sentences, or just before the
        maximum length.
        """
        written = self.text + text
        unit = WORD if len(written) >= self._max_length - _LAST_WORD else unit_of(written)
        at = None if unit is None else unit.first_end(written, max(least, self._length))
        if at is None or not self._is_accepted(written[:at]):
            return text
        self.ended = "length"
        return written[self._length : at]

    def _emit(self, text: str) -> str:
        self._parts.append(text)
        self._length += len(text)
        return text


def chances(streams: Sequence[TextStream]) -> NDArray[np.float64]:
    """Nats of the chance to satisfy the constraint that N texts share after each token, (N, V): see
    `Constraint.chances`."""
    states = [stream.constraint_state for stream in streams]
    positions = [
        state.position(stream.room, may_end=stream.may_end)
        for state, stream in zip(states, streams, strict=True)
        if state is not None
    ]
    assert states[0] is not None
    return states[0].constraint.chances(positions)

"""From the logits of a step to its tokens: all controls, in their order, and the draw."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.evaluation.copying import CopyIndex
from charlm.sampling import filters
from charlm.sampling.config import Cycle, Ramp, SampleConfig, temperature_at
from charlm.sampling.draws import CompiledDraw, draw
from charlm.sampling.filters import Logits
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import BannedTexts, Vocabulary

NO_TOKEN = -1
"""Returned when no token is allowed."""

Uniform = Callable[[], float]
"""Returns the next random number of a text, in [0, 1)."""


class Controls:
    """The controls of a configuration for a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, config: SampleConfig, copies: CopyIndex | None = None) -> None:
        """Prepare the controls.

        Args:
            vocabulary: the vocabulary of the model.
            config: the settings of the controls.
            copies: index of the training text, needed with `config.no_copy`; its `least` must be `no_copy` + 1.

        Raises `ConfigError` for a bias that isn't one token, and for `no_copy` without `copies`.
        """
        if config.no_copy and (copies is None or copies.least != config.no_copy + 1):
            raise ConfigError("--no-copy needs the text that the model was trained on")
        self._copies = copies if config.no_copy else None
        self.banned = BannedTexts(vocabulary, config.ban)
        self._vocabulary, self._config = vocabulary, config
        self._bias = vocabulary.bias(config.bias)  # (V,), added to every row
        self._bias[self.banned.always] = -np.inf
        self._filters = [*filters.truncations(config).values()]
        self._compiled: CompiledDraw | None = None
        if self._is_plain() and CompiledDraw.available():
            assert isinstance(config.temperature, int | float)
            self._compiled = CompiledDraw(self._bias, config.temperature, vocabulary.eos)

    def allowed(self, logits: NDArray[np.floating], streams: Sequence[TextStream]) -> Logits:
        """The model's logits (B, V) with bias, bans, minimum length and repetition penalty.

        A row may be all -inf: no token is allowed.
        """
        penalty = self._config.repetition_penalty
        adjusted: Logits = logits + self._bias
        if not (self.banned.reach or self._config.min_length or penalty != 1):
            return adjusted
        for row, stream in zip(adjusted, streams, strict=True):
            for tokens in self.banned.after(stream.tail) if self.banned.reach else ():
                row[tokens] = -np.inf
            if not stream.may_end:
                row[self._vocabulary.eos] = -np.inf
            if penalty != 1 and stream.recent and row.max() > -np.inf:
                repeated = np.zeros(len(row), dtype=bool)
                repeated[list(stream.recent)] = True
                row[:] = filters.penalise_repetition(row, repeated, penalty)
        return adjusted

    def shaped(self, logits: Logits, streams: Sequence[TextStream]) -> Logits:
        """Logits (B, V) with temperature and truncation; no row may be all -inf."""
        temperature = self._config.temperature
        if isinstance(temperature, Ramp | Cycle):
            rows = zip(logits, streams, strict=True)
            logits = np.stack(
                [
                    filters.temper(row, temperature_at(temperature, stream.tokens, stream.progress))
                    for row, stream in rows
                ]
            )
        elif temperature != 1:
            logits = filters.temper(logits, temperature)
        for keep in self._filters:
            logits = keep(logits)
        return logits

    def draw(
        self, logits: NDArray[np.floating], streams: Sequence[TextStream], uniforms: Sequence[Uniform], *, score: bool
    ) -> tuple[list[int], list[float]]:
        """Draw a token for each row, or `NO_TOKEN`, and return the tokens and the model's log-probability of each,
        nats.

        Args:
            logits: the logits of the model, (B, V).
            streams: the B texts so far.
            uniforms: the random numbers of each text.
            score: whether to compute log-probabilities; they are 0 otherwise.
        """
        if self._compiled is not None and logits.dtype == np.float32 and logits.flags.c_contiguous:
            has_minimum = self._config.min_length > 0
            may_end = [stream.may_end for stream in streams] if has_minimum else [True] * len(streams)
            return self._compiled(logits, [uniform() for uniform in uniforms], may_end, score=score)
        tokens = self._draw(logits, streams, uniforms)
        if not score:
            return tokens, [0.0] * len(tokens)
        log_p = filters.log_probabilities(logits.astype(np.float64))
        nats: list[float] = log_p[np.arange(len(tokens)), tokens].tolist()
        return tokens, nats

    def _draw(
        self, logits: NDArray[np.floating], streams: Sequence[TextStream], uniforms: Sequence[Uniform]
    ) -> list[int]:
        adjusted = self.allowed(logits, streams)
        dead_ends = np.isneginf(adjusted.max(-1)).nonzero()[0].tolist()
        for row in dead_ends:
            adjusted[row] = 0.0  # any distribution will do, since its token is discarded
        tokens = draw(self.shaped(adjusted, streams), [uniform() for uniform in uniforms])
        for row in dead_ends:
            tokens[row] = NO_TOKEN
        if self._copies is not None:
            for row, stream in enumerate(streams):
                while tokens[row] != NO_TOKEN and self.would_copy(stream, tokens[row]):
                    tokens[row] = self._draw_another(adjusted[row : row + 1], tokens[row], stream, uniforms[row])
        return tokens

    def _is_plain(self) -> bool:
        """Whether the only controls are bias, bans of single tokens, minimum length and a constant temperature."""
        temperature = self._config.temperature
        is_constant = isinstance(temperature, int | float) and 1e-3 <= temperature < np.inf
        others = self._filters or self.banned.reach or self._copies or self._config.repetition_penalty != 1
        return is_constant and not others

    def would_copy(self, stream: TextStream, token: int) -> bool:
        """Whether a token would make a copied passage too long."""
        copies = self._copies
        if copies is None or token == self._vocabulary.eos:
            return False
        before = stream.last_characters
        text = before + stream.completed_by(token)
        ends = range(max(len(before) + 1, copies.least), len(text) + 1)
        return any(copies.holds(text[end - copies.least : end]) for end in ends)

    def _draw_another(self, logits: Logits, token: int, stream: TextStream, uniform: Uniform) -> int:
        """Rule out a token in a row's logits (1, V), in place, and draw again."""
        logits[0, token] = -np.inf
        if np.isneginf(logits.max()):
            return NO_TOKEN
        return draw(self.shaped(logits, [stream]), [uniform()])[0]

"""From the logits of a step to the tokens of a step: all controls, in their order, and the draw."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.evaluation.copying import CopyIndex
from charlm.sampling import filters
from charlm.sampling.bans import Bans
from charlm.sampling.compiled import NativeDraw, compiled
from charlm.sampling.config import SampleConfig
from charlm.sampling.draws import draw
from charlm.sampling.filters import Logits
from charlm.sampling.temperature import parse_temperature
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary

NO_TOKEN = -1
"""In the place of a token where none is left that may be written."""


class Controls:
    """The controls of a configuration, made ready for a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, config: SampleConfig, copies: CopyIndex | None = None) -> None:
        """Make ready.

        Args:
            vocabulary: the model's.
            config: the controls.
            copies: the training text, where `config.no_copy` asks that it is not copied; its least length is one more.
        """
        if config.no_copy and (copies is None or copies.least != config.no_copy + 1):
            raise ConfigError("--no-copy needs the text that the model was trained on")
        self._copies = copies if config.no_copy else None
        self.bans = Bans(vocabulary, config.ban)
        self._vocabulary = vocabulary
        self._static = vocabulary.bias(config.bias)  # (V,), added to every row
        self._static[self.bans.always] = -np.inf
        self._least = config.min_length
        self._penalty = config.repetition_penalty
        self._temperature = parse_temperature(config.temperature)
        self._filters: list[Callable[[Logits], Logits]] = []
        if config.top_k:
            self._filters.append(lambda logits: filters.keep_top_k(logits, config.top_k))
        if config.top_p < 1:
            self._filters.append(lambda logits: filters.keep_top_p(logits, config.top_p))
        if config.min_p:
            self._filters.append(lambda logits: filters.keep_min_p(logits, config.min_p))
        if config.typical < 1:
            self._filters.append(lambda logits: filters.keep_typical(logits, config.typical))
        self._native: NativeDraw | None = None
        if self._plain() and compiled() is not None:
            self._native = NativeDraw(self._static, self._temperature.constant or 1.0, vocabulary.eos)

    def allowed(self, logits: NDArray[np.floating], writers: Sequence[TextStream]) -> Logits:
        """The model's logits (B, V) with bias, bans, least length and repetition penalty; a row may lose all."""
        adjusted: Logits = logits + self._static
        if self.bans.reach:
            for row, writer in zip(adjusted, writers, strict=True):
                for tokens in self.bans.after(writer.tail):
                    row[tokens] = -np.inf
        if self._least:
            for row, writer in zip(adjusted, writers, strict=True):
                if not writer.may_end:
                    row[self._vocabulary.eos] = -np.inf
        if self._penalty != 1:
            for row, writer in zip(adjusted, writers, strict=True):
                if writer.recent and row.max() > -np.inf:
                    repeated = np.zeros(len(row), dtype=bool)
                    repeated[list(writer.recent)] = True
                    row[:] = filters.penalise_repetition(row, repeated, self._penalty)
        return adjusted

    def shaped(self, logits: Logits, writers: Sequence[TextStream]) -> Logits:
        """Logits (B, V) with temperature and truncation; every row must leave a token."""
        constant = self._temperature.constant
        if constant is None:
            pairs = zip(logits, writers, strict=True)
            logits = np.stack(
                [filters.temper(row, self._temperature.at(writer.tokens, writer.progress)) for row, writer in pairs]
            )
        elif constant != 1:
            logits = filters.temper(logits, constant)
        for keep in self._filters:
            logits = keep(logits)
        return logits

    def _plain(self) -> bool:
        """Whether nothing but bias, single banned tokens, least length and one temperature shapes the choice."""
        constant = self._temperature.constant
        tempered = constant is not None and 1e-3 <= constant < np.inf
        return tempered and not (self._filters or self.bans.reach or self._copies) and self._penalty == 1

    def scored(
        self,
        logits: NDArray[np.floating],
        writers: Sequence[TextStream],
        uniforms: Sequence[Callable[[], float]],
        *,
        score: bool,
    ) -> tuple[list[int], list[float]]:
        """As a call, with the model's log-probability of each token, nats; zeros where nobody asks for scores."""
        if self._native is not None and logits.dtype == np.float32 and logits.flags.c_contiguous:
            may_end = [writer.may_end for writer in writers] if self._least else [True] * len(writers)
            return self._native(logits, [uniform() for uniform in uniforms], may_end, score=score)
        tokens = self(logits, writers, uniforms)
        if not score:
            return tokens, [0.0] * len(tokens)
        log_p = filters.log_probabilities(logits.astype(np.float64))
        nats: list[float] = log_p[np.arange(len(tokens)), tokens].tolist()
        return tokens, nats

    def __call__(
        self, logits: NDArray[np.floating], writers: Sequence[TextStream], uniforms: Sequence[Callable[[], float]]
    ) -> list[int]:
        """A token for each row, or `NO_TOKEN`.

        Args:
            logits: the model's, (B, V).
            writers: of the B texts.
            uniforms: for each text what gives the next of its numbers in [0, 1).
        """
        adjusted = self.allowed(logits, writers)
        dead = np.isneginf(adjusted.max(-1)).nonzero()[0].tolist()
        for row in dead:
            adjusted[row] = 0.0
        tokens = draw(self.shaped(adjusted, writers), [uniform() for uniform in uniforms])
        for row in dead:
            tokens[row] = NO_TOKEN
        if self._copies is not None:
            for row, writer in enumerate(writers):
                while tokens[row] != NO_TOKEN and self._would_copy(writer, tokens[row], self._copies):
                    tokens[row] = self._another(adjusted[row : row + 1], tokens[row], writer, uniforms[row])
        return tokens

    def _would_copy(self, writer: TextStream, token: int, copies: CopyIndex) -> bool:
        """Whether a token would make a copied stretch too long."""
        if token == self._vocabulary.eos:
            return False
        text = writer.said + writer.characters_of(token)
        return any(
            copies.holds(text[end - copies.least : end])
            for end in range(max(len(writer.said) + 1, copies.least), len(text) + 1)
        )

    def _another(self, logits: Logits, token: int, writer: TextStream, uniform: Callable[[], float]) -> int:
        """Rule a token out of a row's logits (1, V), and draw again."""
        logits[0, token] = -np.inf
        if np.isneginf(logits.max()):
            return NO_TOKEN
        return draw(self.shaped(logits, [writer]), [uniform()])[0]

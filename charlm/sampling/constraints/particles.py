"""Continues a text that must satisfy a constraint, with a set of particles.

A particle is a text so far. Its next token is drawn by p(token) psi(token), where p is the model's probability under
all controls and psi the chance that free writing goes on to satisfy the constraint
(`charlm.sampling.constraints.lookahead`). Its weight is multiplied by the sum over tokens of p(token) psi(token) and
divided by psi before. When the weights become uneven, the particles are drawn again: those that the constraint has led
where the model would hardly go are dropped, and others are doubled. With many particles the texts follow the
distribution of free texts given that they satisfy the constraint, exactly but for this: a text gains nothing by having
ended early, since the weights of the others are divided by their mean.

Source: twisted sequential Monte Carlo: Lew et al. 2023 (arXiv 2306.03081), Zhao et al. 2024 (arXiv 2404.17546).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from charlm.sampling import filters, text_stream
from charlm.sampling.config import SampleConfig, temperature_at
from charlm.sampling.constraints.lookahead import LOWEST
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms, draw
from charlm.sampling.edges.prefix import Start
from charlm.sampling.filters import Logits
from charlm.sampling.text_stream import TextStream

_UNEVEN = 0.5  # the share of particles that count (1 / the sum of squared weights) below which they are drawn again


@dataclass(slots=True)
class Particle:
    """A text so far."""

    stream: TextStream
    row: int
    """Its row in the batch, before the next step."""
    token: int = 0
    """What it reads in the next step."""
    log_weight: float = 0.0
    """Nats."""
    chance: float = 0.0
    """The chance that free writing satisfies the constraint, nats."""


@dataclass(frozen=True, slots=True)
class _Proposal:
    """The next tokens of N particles."""

    logits: Logits
    """(N, V); -inf for tokens that are not allowed."""
    totals: NDArray[np.float64]
    """Nats of the chance to satisfy the constraint given the model's next probabilities, (N,)."""
    chances: Logits
    """Nats of the chance after each token, (N, V)."""


class ParticleWriter:
    """Draws the starts and the next tokens of particles."""

    def __init__(self, controls: Controls, config: SampleConfig) -> None:
        """Under the controls of a configuration."""
        self._controls, self._config = controls, config

    def begin(
        self, starts: Sequence[Start], streams: Sequence[TextStream], number: int, uniforms: Uniforms
    ) -> list[tuple[Particle, Start]]:
        """Particles, each from one of the starts of a text, drawn by its chance to satisfy the constraint."""
        totals = self._propose(np.stack([start.logits for start in starts]), streams).totals
        weights = np.array([start.log_probability for start in starts]) + totals
        weights = np.where(np.isneginf(weights).all(), 0.0, weights)
        if len(starts) == 1:
            places = [0] * number
        elif temperature_at(self._config.temperature, 0, 0.0) == 0:
            places = [int(weights.argmax())] * number
        else:
            places = [draw(weights[None], [uniforms()])[0] for _ in range(number)]
        return [
            (Particle(streams[place].copy(), row, chance=float(totals[place])), starts[place])
            for row, place in enumerate(places)
        ]

    def advance(self, particles: list[Particle], logits: NDArray[np.floating], uniforms: Uniforms) -> list[Particle]:
        """Draw the next token of each particle that has not ended; returns the particles that continue the text.

        Args:
            particles: the particles of a text.
            logits: the model's logits of the batch that their rows are in, (B, V).
            uniforms: the random numbers of the text.
        """
        running = [particle for particle in particles if not particle.stream.ended]
        gains = self.extend(running, logits, uniforms)
        if len(running) < len(particles) and gains.max() > -np.inf:
            mean = gains.max() + math.log(np.exp(gains - gains.max()).mean())
            for particle in running:
                particle.log_weight -= mean
        return self._survivors(particles, uniforms)

    def extend(self, running: list[Particle], logits: NDArray[np.floating], uniforms: Uniforms) -> NDArray[np.float64]:
        """Draw the next token of each of N particles, none of which has ended; returns what this adds to their weights,
        nats, (N,)."""
        rows = logits[[particle.row for particle in running]]
        proposal = self._propose(rows, [particle.stream for particle in running])
        log_p = filters.log_probabilities(rows.astype(np.float64))
        gains: NDArray[np.float64] = proposal.totals - np.array([particle.chance for particle in running])
        tokens = self._draw(proposal.logits, [particle.stream for particle in running], uniforms)
        for index, (particle, token) in enumerate(zip(running, tokens, strict=True)):
            particle.log_weight += float(gains[index])
            if token is None:
                particle.stream.dead_end()
                particle.log_weight = -math.inf
            else:
                particle.chance = float(proposal.chances[index, token])
                particle.stream.push(token, float(log_p[index, token]))
                particle.token = token
        return gains

    def _propose(self, logits: NDArray[np.floating], streams: Sequence[TextStream]) -> _Proposal:
        """The proposals for N texts, given the model's logits, (N, V)."""
        adjusted = self._controls.allowed(logits, streams)
        chances = text_stream.chances(streams)
        setting = self._config.temperature
        temperatures = [temperature_at(setting, stream.tokens, stream.progress) for stream in streams]
        scale = np.array([one if 0 < one < math.inf else 1.0 for one in temperatures])[:, None]
        likely = filters.log_probabilities(adjusted / scale) + chances
        highest = np.maximum(likely.max(-1), LOWEST * 1e3)
        with np.errstate(divide="ignore"):
            totals = highest + np.log(np.exp(likely - highest[:, None]).sum(-1))
        is_flat = np.array([math.isinf(one) for one in temperatures])[:, None]
        added = np.where(is_flat & ~np.isneginf(chances), 0.0, scale * chances)
        return _Proposal(adjusted + added, totals, chances)

    def _draw(self, logits: Logits, streams: Sequence[TextStream], uniforms: Uniforms) -> list[int | None]:
        """Draw a token for each text from its proposed logits, (N, V), which change; None if none is possible."""
        drawn: list[int | None] = [None] * len(streams)
        waiting = np.flatnonzero(logits.max(-1) > -np.inf).tolist()
        while waiting:
            own = [streams[row] for row in waiting]
            tokens = draw(self._controls.shaped(logits[waiting], own), [uniforms() for _ in waiting])
            refused = []
            for row, token, stream in zip(waiting, tokens, own, strict=True):
                if not self._controls.would_copy(stream, token) and stream.can_take(token):
                    drawn[row] = token
                    continue
                logits[row, token] = -np.inf
                if logits[row].max() > -np.inf:
                    refused.append(row)
            waiting = refused
        return drawn

    def _survivors(self, particles: list[Particle], uniforms: Uniforms) -> list[Particle]:
        """The particles, drawn again if their weights are uneven, and a single one if nothing else can change them."""
        if len(particles) == 1:
            return particles
        nats = np.array([particle.log_weight for particle in particles])
        if nats.max() == -np.inf:
            return particles[:1]
        weights = np.exp(nats - nats.max())
        weights /= weights.sum()
        number = 1 if _are_settled(particles) else len(particles)
        if number > 1 and 1 / (weights**2).sum() >= _UNEVEN * number:
            return particles
        places = np.searchsorted(weights.cumsum(), (np.arange(number) + uniforms()) / number, side="right")
        chosen = [particles[min(place, len(particles) - 1)] for place in places.tolist()]
        if number > 1 and _are_settled(chosen):
            chosen = [chosen[int(uniforms() * number)]]
        return [replace(particle, stream=particle.stream.copy(), log_weight=0.0) for particle in chosen]


def _are_settled(particles: Sequence[Particle]) -> bool:
    """Whether the constraint can't change any of the texts."""
    return all(particle.stream.ended or particle.stream.is_free for particle in particles)

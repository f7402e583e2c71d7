"""Writes texts that satisfy a constraint: one, chunk by chunk, or many in a batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from charlm.sampling.constraints.constraint import Constraint
from charlm.sampling.constraints.particles import Particle, ParticleWriter
from charlm.sampling.draws import Uniforms
from charlm.sampling.edges.prefix import Start
from charlm.sampling.prepared import PreparedModel
from charlm.sampling.steppers import LogitRows
from charlm.sampling.text_stream import TextStream

PARTICLES = 16
"""The number of particles of a text."""
_VERSE_PARTICLES = 64  # rhymes lead most of them to what the model finds unlikely


@dataclass(slots=True)
class _Population:
    """The particles of one text."""

    number: int
    uniforms: Uniforms
    particles: list[Particle]
    emitted: int = 0
    """Number of characters emitted so far."""


def write_constrained(
    prepared: PreparedModel,
    constraint: Constraint,
    generator_of: Callable[[int], torch.Generator],
    *,
    num: int,
    batch: int,
) -> Iterator[tuple[int, TextStream, int]]:
    """Write texts, up to `batch` at a time.

    Yields the number of a text, its stream, and the number of characters emitted before, whenever its next characters
    can no longer change, and when it has ended.
    """
    writer = ParticleWriter(prepared.controls, prepared.config)
    size = 1 if prepared.likeliest else _VERSE_PARTICLES if prepared.config.syllables else PARTICLES
    waiting = iter(range(num))
    while numbers := [*islice(waiting, batch)]:
        populations, starts = [], list[Start]()
        for number in numbers:
            uniforms = Uniforms(generator_of(number))
            found = prepared.starts(uniforms)
            streams = [prepared.stream(start, constraint) for start in found]
            begun = writer.begin(found, streams, size, uniforms)
            for particle, start in begun:
                particle.row = len(starts)
                starts.append(start)
            populations.append(_Population(number, uniforms, [particle for particle, _ in begun]))
        stepper, total = None, len(starts)
        logits: LogitRows = np.stack([start.logits for start in starts])
        while populations:
            for population in populations:
                population.particles = writer.advance(population.particles, logits, population.uniforms)
                if len(population.particles) == 1:
                    stream = population.particles[0].stream
                    yield population.number, stream, population.emitted
                    population.emitted = len(stream.text)
            populations = [one for one in populations if any(not part.stream.ended for part in one.particles)]
            running = [part for one in populations for part in one.particles if not part.stream.ended]
            if running:
                stepper = stepper or prepared.stepper(starts)
                running = _in_rows(running)
                if (rows := [particle.row for particle in running]) != [*range(total)]:
                    stepper.take(rows)
                    total = len(rows)
                logits = stepper.step([particle.token for particle in running])
                for row, particle in enumerate(running):
                    particle.row = row


def _in_rows(particles: Sequence[Particle]) -> list[Particle]:
    """The particles, with as many as possible at the place of their row, so that few states have to be copied."""
    placed: list[Particle | None] = [None] * len(particles)
    others = []
    for particle in particles:
        if particle.row < len(placed) and placed[particle.row] is None:
            placed[particle.row] = particle
        else:
            others.append(particle)
    waiting = iter(others)
    return [next(waiting) if particle is None else particle for particle in placed]

"""Writes texts that satisfy a constraint: one, chunk by chunk, or many in a batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from charlm.sampling.config import SampleConfig, takes_likeliest
from charlm.sampling.constraints.constraint import Constraint
from charlm.sampling.constraints.particles import Particle, ParticleWriter
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms
from charlm.sampling.edges.opening import Beginnings
from charlm.sampling.edges.prefix import Start
from charlm.sampling.steppers import LogitRows, Stepper
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary

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
    constraint: Constraint,
    vocabulary: Vocabulary,
    controls: Controls,
    config: SampleConfig,
    beginnings: Beginnings,
    make_stepper: Callable[[list[Start]], Stepper],
    generator_of: Callable[[int], torch.Generator],
    *,
    prefix: str,
    num: int,
    batch: int,
) -> Iterator[tuple[int, TextStream, int]]:
    """Write texts, up to `batch` at a time.

    Yields the number of a text, its stream, and the number of characters emitted before, whenever its next characters
    can no longer change, and when it has ended.
    """
    writer = ParticleWriter(controls, config)
    likeliest = takes_likeliest(config)
    size = 1 if likeliest else _VERSE_PARTICLES if config.syllables else PARTICLES
    waiting = iter(range(num))
    while numbers := [*islice(waiting, batch)]:
        populations, starts = [], list[Start]()
        for number in numbers:
            uniforms = Uniforms(generator_of(number))
            found = beginnings(uniforms, likeliest=likeliest)
            streams = [start.stream(vocabulary, config, prefix, constraint) for start in found]
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
                stepper = stepper or make_stepper(starts)
                if (rows := [particle.row for particle in running]) != [*range(total)]:
                    stepper.take(rows)
                    total = len(rows)
                logits = stepper.step([particle.token for particle in running])
                for row, particle in enumerate(running):
                    particle.row = row

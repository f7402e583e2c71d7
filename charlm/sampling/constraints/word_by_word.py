"""Writes texts of certain words, one word after another.

Each word, with the separators around it, is drawn by the probability that the model gives it after the words before,
among all words that are allowed there:

    p(word | text) / sum over allowed words of p(word | text)

A population over the whole text (`charlm.sampling.constraints.writing`) follows the distribution of free texts that
happen to have only these words. With a short list those are the texts that the model can't stop repeating ("the man in
the man in the man"): where the model repeats itself, it hardly ever leaves the list, and every other way costs a text
probability at each word. So words compete only with other words in the same place.

The draw is by importance: several drafts of the next word are written by p(token) psi(token), and one is chosen by its
weight, p(word) over the probability that it was drafted (Rubin 1987, sampling/importance resampling).
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from charlm.sampling.constraints.automata.words import separators
from charlm.sampling.constraints.constraint import Constraint
from charlm.sampling.constraints.particles import Particle, ParticleWriter
from charlm.sampling.constraints.writing import PARTICLES
from charlm.sampling.draws import Uniforms, draw
from charlm.sampling.prepared import PreparedModel
from charlm.sampling.steering import Steered
from charlm.sampling.steppers import LogitRows, ModelStepper, SteeredStepper, Stepper
from charlm.sampling.text_stream import TextStream


def write_word_by_word(
    prepared: PreparedModel,
    constraint: Constraint,
    generator_of: Callable[[int], torch.Generator],
    *,
    num: int,
) -> Iterator[tuple[int, TextStream, int]]:
    """Write texts, one at a time. Yields the number of a text, its stream, and the number of characters emitted before,
    after each word."""
    writer = ParticleWriter(prepared.controls, prepared.config)
    drafts = 1 if prepared.likeliest else PARTICLES
    for number in range(num):
        uniforms = Uniforms(generator_of(number))
        found = prepared.starts(uniforms)
        streams = [prepared.stream(start, constraint) for start in found]
        (begun, start), *_ = writer.begin(found, streams, 1, uniforms)
        stream, emitted = begun.stream, 0
        logits: LogitRows = start.logits[None]
        reader = ModelStepper(prepared.model, [start.states])
        steering = prepared.steering
        reading = SteeredStepper(reader, Steered(prepared.model, steering)) if steering else reader
        stepper = prepared.stepper([start])
        while not stream.ended:
            stepper.take([0])
            stepper.load(0, reader.states)
            stream, tokens = _next_word(writer, stepper, stream, logits, drafts, uniforms)
            yield number, stream, emitted
            emitted = len(stream.text)
            if not stream.ended:
                for token in tokens:
                    logits = reading.step([token])


def _next_word(
    writer: ParticleWriter, stepper: Stepper, stream: TextStream, logits: LogitRows, drafts: int, uniforms: Uniforms
) -> tuple[TextStream, list[int]]:
    """The text with one more word, and the tokens of that.

    Args:
        writer: draws the tokens of the drafts.
        stepper: has the text in its only row; it is used up.
        stream: the text so far, which doesn't change.
        logits: those of the next token, (1, V).
        drafts: how many drafts to choose from.
        uniforms: the random numbers of the text.
    """
    before = len(stream.text)
    particles = [Particle(stream.copy(), 0) for _ in range(drafts)]
    written: list[list[int]] = [[] for _ in particles]
    running = [*range(drafts)]
    while True:
        writer.extend([particles[place] for place in running], logits, uniforms)
        for place in running:
            written[place].append(particles[place].token)
        rows = [particles[place].row for place in running]
        going = [not _has_word(particles[place].stream, before) for place in running]
        rows = [row for row, goes_on in zip(rows, going, strict=True) if goes_on]
        running = [place for place, goes_on in zip(running, going, strict=True) if goes_on]
        if not running:
            break
        stepper.take(rows)
        logits = stepper.step([particles[place].token for place in running])
        for row, place in enumerate(running):
            particles[place].row = row
    weights = np.array([particle.log_weight for particle in particles])
    chosen = draw(weights[None], [uniforms()])[0] if weights.max() > -np.inf else 0
    return particles[chosen].stream, written[chosen]


def _has_word(stream: TextStream, before: int) -> bool:
    """Whether a text has ended, or has a whole word after its first `before` characters and none that has begun."""
    if stream.ended:
        return True
    assert stream.constraint_state is not None
    return stream.constraint_state.is_between_words and any(one not in separators() for one in stream.text[before:])

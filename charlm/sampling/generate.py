"""Texts as they are written: one, chunk by chunk, or many side by side."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import torch

from charlm.evaluation.copying import CopyIndex
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig, temperature_at
from charlm.sampling.controls import NO_TOKEN, Controls
from charlm.sampling.draws import Uniforms
from charlm.sampling.prefix import Start, choose_start, find_starts
from charlm.sampling.steering import Steering
from charlm.sampling.steppers import LogitRows, prepare
from charlm.sampling.text_stream import GeneratedText, TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Chunk:
    """Characters that are certain, in the order in which they are written."""

    text: str
    log_probabilities: tuple[float, ...]
    """Of each character, nats, the model's own; none for a prefix, or without scores."""


@dataclass(slots=True)
class _Row:
    """A text that is being written."""

    number: int
    start: Start
    stream: TextStream
    uniforms: Uniforms
    given_out: int = 0


def generate_chunks(
    model: LanguageModel,
    tokenizer: Tokenizer,
    generator: torch.Generator,
    *,
    prefix: str = "",
    config: SampleConfig | None = None,
    copies: CopyIndex | None = None,
    steering: Steering = (),
    score: bool = True,
) -> Generator[Chunk, None, GeneratedText]:
    """Write a text, chunk by chunk as it is decoded, the prefix first; the generator's value is the whole text.

    The model reads BOS and the prefix, and then each token that was drawn; the state is carried all along. A character
    whose bytes span several tokens comes whole, and bytes that are not UTF-8 come as U+FFFD.

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        generator: a CPU generator that random numbers are drawn from.
        prefix: what the text begins with.
        config: the controls.
        copies: the training text, needed with `config.no_copy`.
        steering: what the state is held at from the end of the prefix; see `config.steer`.
        score: whether the probability of each character is wanted; without, they are 0 nats.

    Raises:
        UnknownCharacterError: the prefix has a character outside the vocabulary and `config.unknown` is "error".
        ConfigError: this vocabulary can't do what the configuration asks for.
    """
    config = config or SampleConfig()
    events = _write(
        model, tokenizer, prefix, config, lambda _: generator, copies=copies, steering=steering, score=score
    )
    first = next(events)[1]  # an unknown character in the prefix is an error before anything is written
    if prefix and config.prefix_in_output:
        yield Chunk(prefix, ())
    for event in chain((first,), (event for _, event in events)):
        if isinstance(event, GeneratedText):
            return event
        yield event
    raise AssertionError("a text has no end")


def generate_many(
    model: LanguageModel,
    tokenizer: Tokenizer,
    *,
    seed: int,
    num: int,
    batch: int = 1,
    prefix: str = "",
    config: SampleConfig | None = None,
    copies: CopyIndex | None = None,
    steering: Steering = (),
) -> Iterator[GeneratedText]:
    """Write many texts, up to `batch` of them side by side; they come in order.

    Text k draws from its own generator, seeded with seed + k: it is the text that `generate_chunks` writes with that
    seed, whatever the batch. Only a choice that depends on the last bits of a probability can differ, since matrix
    products of another shape round differently.

    Args:
        model: in evaluation mode.
        tokenizer: of the model.
        seed: of the first text.
        num: how many texts.
        batch: how many at a time; a row whose text has ended continues with the next text.
        prefix: what every text begins with.
        config: the controls.
        copies: as in `generate_chunks`.
        steering: as in `generate_chunks`.

    Raises: as `generate_chunks`.
    """
    config = config or SampleConfig()
    ready: dict[int, GeneratedText] = {}
    following = 0
    events = _write(
        model,
        tokenizer,
        prefix,
        config,
        lambda number: torch.Generator().manual_seed(seed + number),
        num=num,
        batch=batch,
        copies=copies,
        steering=steering,
        chunks=False,
    )
    for number, event in events:
        if isinstance(event, GeneratedText):
            ready[number] = event
        while following in ready:
            yield ready.pop(following)
            following += 1


def _write(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prefix: str,
    config: SampleConfig,
    generator_of: Callable[[int], torch.Generator],
    *,
    num: int = 1,
    batch: int = 1,
    copies: CopyIndex | None = None,
    steering: Steering = (),
    chunks: bool = True,
    score: bool = True,
) -> Iterator[tuple[int, Chunk | GeneratedText]]:
    """The loop of all sampling: chunks and whole texts, each with the number of its text."""
    vocabulary = Vocabulary(tokenizer)
    controls = Controls(vocabulary, config, copies)
    starts = find_starts(model, tokenizer, vocabulary, controls, prefix, config.unknown, steering)
    likeliest = temperature_at(config.temperature, 0, 0.0) == 0

    def begin_row(number: int) -> _Row:
        uniforms = Uniforms(generator_of(number))
        start = choose_start(starts, uniforms, likeliest=likeliest)
        return _Row(number, start, start.stream(vocabulary, config, prefix), uniforms)

    waiting = iter(range(num))
    if config.max_length == 0:
        yield from ((number, begin_row(number).stream.result()) for number in waiting)
        return
    rows = [begin_row(number) for number in islice(waiting, batch)]
    stepper = None
    logits: LogitRows = np.stack([row.start.logits for row in rows])
    while True:
        tokens, nats = controls.draw(logits, [row.stream for row in rows], [row.uniforms for row in rows], score=score)
        for row, token, own in zip(rows, tokens, nats, strict=True):
            text = row.stream.dead_end() if token == NO_TOKEN else row.stream.push(token, own)
            if text and chunks:
                end = row.given_out + len(text)
                yield row.number, Chunk(text, row.stream.nats_of(row.given_out, end) if score else ())
                row.given_out = end
        ended = [index for index, row in enumerate(rows) if row.stream.ended]
        for index in ended:
            yield rows[index].number, rows[index].stream.result()
        following = {index: begin_row(number) for index, number in zip(ended, waiting, strict=False)}
        if len(following) == len(rows):
            rows = list(following.values())
            logits = np.stack([row.start.logits for row in rows])
            for index, row in enumerate(rows):
                if stepper is not None:
                    stepper.load(index, row.start.states)
            continue
        if len(ended) == len(rows) and not following:
            return
        stepper = stepper or prepare(model, [row.start.states for row in rows], steering=steering)
        logits = stepper.step([max(token, 0) for token in tokens])
        for index, row in following.items():
            rows[index] = row
            stepper.load(index, row.start.states)
            logits[index] = row.start.logits
        if len(following) < len(ended):
            left = [index for index, row in enumerate(rows) if not row.stream.ended]
            rows, logits = [rows[index] for index in left], logits[left]
            stepper.take(left)

"""Texts as they are written: one, piece by piece, or many side by side."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import torch

from charlm.evaluation.copying import CopyIndex
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import NO_TOKEN, Controls
from charlm.sampling.draws import Uniforms
from charlm.sampling.prefix import Start, begin, choose_start, starts
from charlm.sampling.steering import Steering
from charlm.sampling.steppers import LogitRows, prepare
from charlm.sampling.temperature import parse_temperature
from charlm.sampling.text_stream import GeneratedText, TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Chunk:
    """Characters that are certain, in the order in which they are written."""

    text: str
    log_probabilities: tuple[float, ...]
    """Of each character, nats, the model's own; none for a prefix, or where nobody asked to score."""


@dataclass(slots=True)
class _Row:
    """A text that is being written."""

    number: int
    start: Start
    writer: TextStream
    uniforms: Uniforms
    given: int = 0


def generate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    generator: torch.Generator,
    *,
    prefix: str = "",
    config: SampleConfig | None = None,
    copies: CopyIndex | None = None,
    steering: Steering = (),
) -> Generator[str, None, str]:
    """Write a text, piece by piece as it is decoded, the prefix first.

    The model reads BOS and the prefix, and then each token that was drawn; the state carries all along. A character
    whose bytes span several tokens comes whole, and bytes that are no UTF-8 come as U+FFFD.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        generator: a CPU generator that the choices are drawn from.
        prefix: what the text begins with.
        config: the controls.
        copies: the training text, where `config.no_copy` asks that it is not copied.
        steering: what the state is held at from the end of the prefix on; what `config.steer` means.

    Returns:
        (as the generator's value) why it ended: "eos", "length", "stop" or "banned".

    Raises:
        UnknownCharacterError: the prefix has a character outside the vocabulary and `config.unknown` is "error".
        ConfigError: the configuration asks for what this vocabulary can't do.
    """
    pieces = write_pieces(
        model, tokenizer, generator, prefix=prefix, config=config, copies=copies, steering=steering, score=False
    )
    while True:
        try:
            yield next(pieces).text
        except StopIteration as end:
            written: GeneratedText = end.value
            return written.ended


def write_pieces(
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
    """Write a text as `generate` does, with the probability of every character; its value is the whole text.

    `score` says whether probabilities are wanted; they are 0 nats without.
    """
    config = config or SampleConfig()
    run = _write(model, tokenizer, prefix, config, lambda _: generator, copies=copies, steering=steering, score=score)
    first = next(run)[1]  # an unknown character in the prefix is an error before anything is written
    if prefix and config.prefix_in_output:
        yield Chunk(prefix, ())
    for found in chain((first,), (found for _, found in run)):
        if isinstance(found, GeneratedText):
            return found
        yield found
    raise AssertionError("a text has no end")


def write_many(
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

    Text k draws from a generator of its own, seeded with seed + k: it is the one that `generate` writes with that seed,
    whatever the batch. Only a choice that hangs on the last bits of a probability can fall differently, since matrix
    products of another shape round differently.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        seed: of the first text.
        num: how many texts.
        batch: how many at a time; a row whose text has ended goes on with the next one.
        prefix: what every text begins with.
        config: the controls.
        copies: as for `generate`.
        steering: as for `generate`.

    Raises: as `generate`.
    """
    config = config or SampleConfig()
    ready: dict[int, GeneratedText] = {}
    following = 0
    run = _write(
        model,
        tokenizer,
        prefix,
        config,
        lambda number: torch.Generator().manual_seed(seed + number),
        num=num,
        batch=batch,
        copies=copies,
        steering=steering,
        pieces=False,
    )
    for number, found in run:
        if isinstance(found, GeneratedText):
            ready[number] = found
        while following in ready:
            yield ready.pop(following)
            following += 1


def _write(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prefix: str,
    config: SampleConfig,
    stream: Callable[[int], torch.Generator],
    *,
    num: int = 1,
    batch: int = 1,
    copies: CopyIndex | None = None,
    steering: Steering = (),
    pieces: bool = True,
    score: bool = True,
) -> Iterator[tuple[int, Chunk | GeneratedText]]:
    """The loop of all sampling: pieces and whole texts, each with the number of its text."""
    vocabulary = Vocabulary(tokenizer)
    choice = Controls(vocabulary, config, copies)
    ways = starts(model, tokenizer, vocabulary, choice, prefix, config.unknown, steering)
    likeliest = parse_temperature(config.temperature).at(0, 0.0) == 0

    def begin_row(number: int) -> _Row:
        uniforms = Uniforms(stream(number))
        start = choose_start(ways, uniforms, likeliest=likeliest)
        return _Row(number, start, begin(start, vocabulary, config, prefix), uniforms)

    waiting = iter(range(num))
    if config.longest == 0:
        yield from ((number, begin_row(number).writer.written(prefix, config)) for number in waiting)
        return
    rows = [begin_row(number) for number in islice(waiting, batch)]
    stepper = None
    logits: LogitRows = np.stack([row.start.logits for row in rows])
    while True:
        writers, uniforms = [row.writer for row in rows], [row.uniforms for row in rows]
        tokens, scores = choice.scored(logits, writers, uniforms, score=score)
        for row, token, nats in zip(rows, tokens, scores, strict=True):
            text = row.writer.dead_end() if token == NO_TOKEN else row.writer.push(token, nats)
            if text and pieces:
                yield row.number, Chunk(text, row.writer.shares(row.given, row.given + len(text)) if score else ())
                row.given += len(text)
        ended = [index for index, row in enumerate(rows) if row.writer.ended]
        for index in ended:
            yield rows[index].number, rows[index].writer.written(prefix, config)
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
        stepper = stepper or prepare(model, [row.start.states for row in rows], single=batch == 1, steering=steering)
        logits = stepper.step([max(token, 0) for token in tokens])
        for index, row in following.items():
            rows[index] = row
            stepper.load(index, row.start.states)
            logits[index] = row.start.logits
        if len(following) < len(ended):
            left = [index for index, row in enumerate(rows) if not row.writer.ended]
            rows, logits = [rows[index] for index in left], logits[left]
            stepper.take(left)

"""Writes texts: one, chunk by chunk, or many in a batch."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Unpack

import numpy as np
import torch

from charlm.model.language_model import LanguageModel
from charlm.sampling.beam import beam_search
from charlm.sampling.config import SampleConfig
from charlm.sampling.constraints.word_by_word import write_word_by_word
from charlm.sampling.constraints.writing import PARTICLES, write_constrained
from charlm.sampling.controls import NO_TOKEN
from charlm.sampling.draws import Uniforms
from charlm.sampling.edges.prefix import Start, choose_start
from charlm.sampling.filters import truncations
from charlm.sampling.prepared import PreparedModel, WritingOptions
from charlm.sampling.steppers import LogitRows
from charlm.sampling.text_stream import GeneratedText, TextStream
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next characters of a text that can no longer change."""

    text: str
    log_probabilities: tuple[float, ...]
    """The model's log-probability of each character, nats; empty for the prefix, or without scores."""


@dataclass(slots=True)
class _Row:
    """A text that is being written."""

    number: int
    start: Start
    stream: TextStream
    uniforms: Uniforms
    emitted: int = 0
    """Number of characters emitted so far."""


def generate_chunks(
    model: LanguageModel,
    tokenizer: Tokenizer,
    generator: torch.Generator,
    *,
    score: bool = True,
    **options: Unpack[WritingOptions],
) -> Generator[Chunk, None, GeneratedText]:
    """Write a text and yield it in chunks, the prefix first; the generator's return value is the whole text.

    The model reads BOS and the prefix, and then each drawn token; the state is carried throughout. A character whose
    bytes span several tokens is emitted when it is complete. Bytes that are not UTF-8 become U+FFFD.

    Args:
        model: a model in evaluation mode.
        tokenizer: the tokenizer of the model.
        generator: the CPU generator of the random numbers.
        score: whether to compute log-probabilities; they are 0 otherwise.
        options: the prefix, the settings and more; see `WritingOptions`.

    Raises: as `PreparedModel.prepare`, and `ConfigError` for a constraint that no text satisfies.
    """
    events = _write(model, tokenizer, lambda _: generator, score=score, **options)
    first = next(events)[1]  # raises an error in the prefix before anything is written
    prefix, config = options.get("prefix", ""), options.get("config") or SampleConfig()
    if prefix and config.prefix_in_output:
        yield Chunk(prefix, ())
    for event in chain((first,), (event for _, event in events)):
        if isinstance(event, GeneratedText):
            return event
        yield event
    raise AssertionError("the text did not end")


def generate_many(
    model: LanguageModel,
    tokenizer: Tokenizer,
    *,
    seed: int,
    num: int,
    batch: int = 1,
    **options: Unpack[WritingOptions],
) -> Iterator[GeneratedText]:
    """Write many texts, up to `batch` at a time, and yield them in order.

    Text k draws from a separate generator, seeded with seed + k, and is the text that `generate_chunks` writes with
    this seed, whatever the batch size. Only a draw that depends on the last bits of a probability can differ, since
    matrix products of another shape round differently.

    Args:
        model: a model in evaluation mode.
        tokenizer: the tokenizer of the model.
        seed: the seed of the first text.
        num: how many texts.
        batch: how many texts at a time; when a text ends, the next one takes its row.
        options: the prefix, the settings and more; see `WritingOptions`.

    Raises: as `generate_chunks`.
    """
    ready: dict[int, GeneratedText] = {}
    next_number = 0

    def generator_of(number: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed + number)

    for number, event in _write(model, tokenizer, generator_of, num=num, batch=batch, chunks=False, **options):
        if isinstance(event, GeneratedText):
            ready[number] = event
        while next_number in ready:
            yield ready.pop(next_number)
            next_number += 1


def _write(
    model: LanguageModel,
    tokenizer: Tokenizer,
    generator_of: Callable[[int], torch.Generator],
    *,
    num: int = 1,
    batch: int = 1,
    chunks: bool = True,
    score: bool = True,
    **options: Unpack[WritingOptions],
) -> Iterator[tuple[int, Chunk | GeneratedText]]:
    """Write texts freely, or under a constraint; at temperature 0, where nothing is drawn, a beam search finds the text
    that satisfies it.

    Yields chunks, if `chunks`, and at the end of each text the whole text, with the number of the text.
    """
    config = options.get("config") or SampleConfig()
    if config.is_constrained and config.temperature == 0 and not config.no_copy:
        options["config"] = _for_search(config)
        likeliest = beam_search(model, tokenizer, width=PARTICLES, **options)[0]
        for number in range(num):
            if chunks and (size := likeliest.characters):
                yield number, Chunk(likeliest.text[-size:], likeliest.log_probabilities if score else ())
            yield number, likeliest
        return
    prepared = PreparedModel.prepare(model, tokenizer, **options)
    constraint = prepared.constraint()
    if config.max_length == 0:  # nothing is drawn, since every text is complete
        for number in range(num):
            yield number, _begin_row(prepared, number, generator_of).stream.result()
    elif constraint is None:
        yield from _write_freely(prepared, generator_of, num=num, batch=batch, chunks=chunks, score=score)
    else:
        if constraint.has_words:
            writing = write_word_by_word(prepared, constraint, generator_of, num=num)
        else:
            writing = write_constrained(prepared, constraint, generator_of, num=num, batch=batch)
        for number, stream, emitted in writing:
            end = len(stream.text)
            if chunks and end > emitted:
                yield number, Chunk(stream.text[emitted:], stream.nats_of(emitted, end) if score else ())
            if stream.ended:
                yield number, stream.result()


def _for_search(config: SampleConfig) -> SampleConfig:
    """The settings at temperature 0 without those that shape a random draw, which a search refuses."""
    default = SampleConfig()
    return replace(config, temperature=1.0, **{name: getattr(default, name) for name in truncations(config)})


def _write_freely(
    prepared: PreparedModel,
    generator_of: Callable[[int], torch.Generator],
    *,
    num: int,
    batch: int,
    chunks: bool,
    score: bool,
) -> Iterator[tuple[int, Chunk | GeneratedText]]:
    """The sampling loop: draw a token for every row of the batch, then read all of them in one step.

    A row is a place for one text at a time. Yields as `_write`.
    """
    waiting = iter(range(num))  # the texts that have no row yet
    rows = [_begin_row(prepared, number, generator_of) for number in islice(waiting, batch)]
    stepper = None  # made when a token has to be read for the first time; a text may end with the first that is drawn
    logits: LogitRows = np.stack([row.start.logits for row in rows])
    while True:
        tokens, nats = prepared.controls.draw(
            logits, [row.stream for row in rows], [row.uniforms for row in rows], score=score
        )
        for row, token, token_nats in zip(rows, tokens, nats, strict=True):
            text = row.stream.dead_end() if token == NO_TOKEN else row.stream.push(token, token_nats)
            if text and chunks:
                end = row.emitted + len(text)
                yield row.number, Chunk(text, row.stream.nats_of(row.emitted, end) if score else ())
                row.emitted = end
        ended = [index for index, row in enumerate(rows) if row.stream.ended]
        for index in ended:
            yield rows[index].number, rows[index].stream.result()
        # A new text takes the row of one that has ended, so that the batch stays full as long as texts are waiting.
        replacements = {
            index: _begin_row(prepared, number, generator_of) for index, number in zip(ended, waiting, strict=False)
        }
        # If all rows are new, no text continues, and the step is skipped. The logits are those after the prefix.
        if len(replacements) == len(rows):
            rows = list(replacements.values())
            logits = np.stack([row.start.logits for row in rows])
            for index, row in enumerate(rows):
                if stepper is not None:
                    stepper.load(index, row.start.states)
            continue
        if len(ended) == len(rows) and not replacements:
            return
        # The step reads a token in every row. In rows whose text has ended the result is not used, so any token will do
        # there for NO_TOKEN; a new text then overwrites the state and the logits.
        stepper = stepper or prepared.stepper([row.start for row in rows])
        logits = stepper.step([max(token, 0) for token in tokens])
        for index, row in replacements.items():
            rows[index] = row
            stepper.load(index, row.start.states)
            logits[index] = row.start.logits
        # When no more texts are waiting, the rows that have ended are taken out, and the batch becomes smaller.
        if len(replacements) < len(ended):
            running = [index for index, row in enumerate(rows) if not row.stream.ended]
            rows, logits = [rows[index] for index in running], logits[running]
            stepper.take(running)


def _begin_row(prepared: PreparedModel, number: int, generator_of: Callable[[int], torch.Generator]) -> _Row:
    """The text of some number, from one of its starts."""
    uniforms = Uniforms(generator_of(number))
    starts = prepared.starts(uniforms)
    shares = [start.log_probability for start in starts]
    start = starts[choose_start(shares, uniforms, likeliest=prepared.likeliest)]
    return _Row(number, start, prepared.stream(start), uniforms)

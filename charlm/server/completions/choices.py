"""The texts of a completion: written by the same function as those of `charlm sample`, with the same seeds."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charlm.analysis.units.reading import read
from charlm.sampling.edges.opening import needs_opening
from charlm.sampling.text_stream import GeneratedText
from charlm.server.completions.request import CompletionRequest
from charlm.server.models import Loaded

_REASONS = {"eos": "stop", "stop": "stop", "constraint": "stop", "banned": "stop", "length": "length"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The next characters of one text, or its end."""

    index: int
    """Number of the text."""
    text: str = ""
    log_probabilities: tuple[float, ...] = ()
    """Nats of each character."""
    written: GeneratedText | None = None
    """The whole text, at its end."""


def parts(loaded: Loaded, request: CompletionRequest) -> Iterator[Part]:
    """Write the texts one after another; with `echo` each begins with its prompt and the log-probabilities of that."""
    seed = int.from_bytes(os.urandom(4), "little") if request.seed is None else request.seed
    model, echo = loaded.text_model, request.config.prefix_in_output
    for index, prompt in enumerate(prompt for prompt in request.prompts for _ in range(request.num)):
        nats = [-value for value in model.surprisal(prompt)] if echo and prompt and request.logprobs is not None else []
        chunks = model.generate_chunks(prompt, request.config, seed=seed + index % request.num)
        is_prompt = echo and prompt != ""
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as end:
                yield Part(index=index, written=end.value)
                break
            yield Part(
                index=index, text=chunk.text, log_probabilities=tuple(nats) if is_prompt else chunk.log_probabilities
            )
            is_prompt = False


def choice(index: int, text: str, logprobs: dict[str, Any] | None, written: GeneratedText | None) -> dict[str, Any]:
    """A choice of an answer."""
    reason = None if written is None else _REASONS[written.ended]
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def logprobs_json(
    text: str, log_probabilities: list[float], start: int, likely: list[dict[str, float]] | None
) -> dict[str, Any]:
    """The log-probabilities of an answer: its tokens are characters.

    Args:
        text: the characters.
        log_probabilities: nats of each of them.
        start: position of the first.
        likely: the likeliest characters at each place, with their nats; None leaves them out.
    """
    return {
        "tokens": list(text),
        "token_logprobs": log_probabilities,
        "text_offset": list(range(start, start + len(text))),
        "top_logprobs": likely,
    }


def likely_characters(loaded: Loaded, written: GeneratedText, text: str, number: int) -> list[dict[str, float]] | None:
    """The likeliest characters at each place of `text`, the end of what was written, with their nats.

    None if the tokens of the model are no characters, or the model read a hidden opening before the text.
    """
    model = loaded.text_model
    has_opening = not written.prefix and needs_opening(model.checkpoint.corpus)
    if model.tokenizer.kind != "char" or not text or has_opening:
        return None
    whole = text if text.startswith(written.prefix) and len(text) > written.characters else written.prefix + text
    start = len(whole) - len(text)
    reading = read(model.model, model.tokenizer, whole, alternatives=number, unknown="replace")
    names = [model.tokenizer.decode([token]) for token in range(model.tokenizer.vocab_size)]
    places = zip(reading.likeliest[start:].tolist(), reading.probabilities[start:].tolist(), strict=True)
    return [
        {names[token]: math.log(max(p, 1e-45)) for token, p in zip(tokens, shares, strict=True)}
        for tokens, shares in places
    ]

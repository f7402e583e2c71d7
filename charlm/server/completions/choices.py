"""The texts of a completion: written by the same function as those of `charlm sample`, with the same seeds."""

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from charlm.errors import ConfigError
from charlm.sampling.edges.opening import needs_opening
from charlm.sampling.generate import Chunk
from charlm.sampling.text_stream import GeneratedText
from charlm.server.completions.likely import LikelyCharacters, Ranking
from charlm.server.completions.request import CompletionRequest
from charlm.server.errors import RequestError
from charlm.server.models import ServedModel
from charlm.text_model import TextModel

_REASONS = {"eos": "stop", "stop": "stop", "constraint": "stop", "banned": "stop", "length": "length"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The next characters of one text, or its end."""

    index: int
    """Number of the text."""
    text: str = ""
    log_probabilities: Sequence[float] = ()
    """Nats of each character; none if they weren't requested."""
    likely: Sequence[Ranking] | None = None
    """The likeliest characters at the place of each; None if they weren't requested, or the model has none."""
    written: GeneratedText | None = None
    """The whole text, at its end."""


def parts(loaded: ServedModel, request: CompletionRequest) -> Iterator[Part]:
    """Write the texts one after another; with `echo` each begins with its prompt and the log-probabilities of that.

    The prompt of a model of pairs is the source, for which the target is written.
    """
    seed = int.from_bytes(os.urandom(4), "little") if request.seed is None else request.seed
    model, scored = _labelled(loaded.text_model, request.labels), request.logprobs is not None
    is_source = model.corpus_config.is_pairs
    if is_source and request.echo:
        raise RequestError("echo needs a model of texts, but this one writes a target for the prompt", param="echo")
    if is_source and "" in request.prompts:
        raise RequestError("the prompt is empty; give the source for which to write a target", param="prompt")
    for index, prompt in enumerate(prompt for prompt in request.prompts for _ in range(request.num)):
        config = replace(request.config, source=prompt) if is_source else request.config
        beginning = "" if is_source else prompt
        events = _with_result(model.generate_chunks(beginning, config, seed=seed + index % request.num, score=scored))
        first = next(events)  # raises an error in the prompt before anything is sent
        follower = _follower(model, prompt, request)
        likely = None if follower is None else follower.read(prompt)
        if request.echo and prompt:
            nats = [-value for value in model.surprisal(prompt)] if scored else []
            yield Part(index=index, text=prompt, log_probabilities=nats, likely=likely)
        for event in chain((first,), events):
            if isinstance(event, GeneratedText):
                yield Part(index=index, written=event)
            else:
                likely = None if follower is None else follower.read(event.text)
                yield Part(index=index, text=event.text, log_probabilities=event.log_probabilities, likely=likely)


def _labelled(model: TextModel, labels: tuple[str, ...]) -> TextModel:
    """The model for texts with these labels; raises `RequestError` for one that it doesn't have."""
    try:
        return model.with_labels(*labels) if labels else model
    except ConfigError as error:
        raise RequestError(str(error), param="label") from None


def _with_result(chunks: Generator[Chunk, None, GeneratedText]) -> Iterator[Chunk | GeneratedText]:
    """The chunks, and then the whole text."""
    written = yield from chunks
    yield written


def _follower(model: TextModel, prompt: str, request: CompletionRequest) -> LikelyCharacters | None:
    """What ranks the characters of a text.

    None if no rankings are requested, the tokens of the model are no characters, or it reads a source or a hidden
    opening first.
    """
    has_opening = not prompt and needs_opening(model.checkpoint.corpus)
    if not request.logprobs or model.tokenizer.kind != "char" or has_opening or model.corpus_config.is_pairs:
        return None
    return LikelyCharacters(model.model, model.tokenizer, request.logprobs)


def choice(found: Sequence[Part], start: int, *, logprobs: bool) -> dict[str, Any]:
    """The choice of an answer that has some parts of one text, whose first character has the position `start`.

    With `logprobs` it has the log-probabilities, nats; its tokens are characters.
    """
    text = "".join(part.text for part in found)
    written = found[-1].written
    return {
        "index": found[0].index,
        "text": text,
        "logprobs": _logprobs(found, text, start) if logprobs else None,
        "finish_reason": None if written is None else _REASONS[written.ended],
    }


def _logprobs(found: Sequence[Part], text: str, start: int) -> dict[str, Any]:
    rankings = [part.likely for part in found if part.text]
    return {
        "tokens": list(text),
        "token_logprobs": [value for part in found for value in part.log_probabilities],
        "text_offset": list(range(start, start + len(text))),
        "top_logprobs": None if None in rankings or not rankings else [*chain.from_iterable(filter(None, rankings))],
    }

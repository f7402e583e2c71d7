"""The Write page: texts as they are written, what else could have stood at a place, and what is copied."""

import os
from dataclasses import replace
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from charlm.config import Unknown
from charlm.evaluation.copying import find_copies
from charlm.sampling import Chunk, GeneratedText
from charlm.sampling.config import SampleConfig, parse_bias, parse_steer, parse_syllables, parse_temperature
from charlm.server.answers import EventStream, JsonAnswer
from charlm.server.bodies import Fields, read_fields, take_labels, take_source
from charlm.server.errors import RequestError
from charlm.server.models import COPY_LENGTH
from charlm.server.resources import ServerResources
from charlm.server.workers import Job

MOST_CHARACTERS = 100_000
"""The most characters of a prefix, and of a text."""
MOST_TEXTS = 8
MOST_CONSTRAINED = 5_000
"""The most characters of a text under constraints, which appear only when no draft can change them any more."""
_MOST_SEED = 2**62
_OFFERS = 8


async def list_models(request: Request) -> JSONResponse:
    """GET /api/models: the names, the default first."""
    resources: ServerResources = request.app.state.resources
    return JSONResponse(list(resources.models.paths()))


async def show_model(request: Request) -> ASGIApp:
    """GET /api/models/NAME."""
    resources: ServerResources = request.app.state.resources
    name = request.path_params["name"]
    return JsonAnswer(resources.writers, lambda job: resources.models.load(name).describe())


async def write(request: Request) -> ASGIApp:
    """POST /api/write: several texts side by side, as events of [index, text, nats] or {index, ended, ...}."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    name, prefix = fields.text("model", "", most=200), fields.text("prefix", "", most=MOST_CHARACTERS)
    config = _config(fields)
    num = fields.whole("num", 1, 1, MOST_TEXTS)
    seed = fields.optional_whole("seed", 0, _MOST_SEED)
    fields.require_all_taken()

    def work(job: Job) -> None:
        model = resources.models.load(name).text_model
        first = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        texts = {index: model.generate_chunks(prefix, config, seed=first + index) for index in range(num)}
        while texts:
            for index, chunks in list(texts.items()):
                try:
                    chunk = next(chunks)
                except StopIteration as end:
                    del texts[index]
                    job.emit(_end(index, first + index, end.value))
                else:
                    job.emit((index, chunk))

    return EventStream(resources.writers, work, merge=_merged)


async def alternatives(request: Request) -> ASGIApp:
    """POST /api/alternatives: the likeliest next tokens after a text, by the model alone or as it is steered."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    name, text = fields.text("model", "", most=200), fields.text("text", "", most=2 * MOST_CHARACTERS)
    steer = tuple(map(parse_steer, fields.texts("steer", number=16, most=200)))
    config = SampleConfig(
        temperature=1.0, steer=steer, label=take_labels(fields), source=take_source(fields), unknown="replace"
    )
    fields.require_all_taken()

    def work(job: Job) -> list[dict[str, Any]]:
        model = resources.models.load(name).text_model
        session = model.session(text, config, seed=0, progress=job.progress)
        return [{"text": offer.text, "probability": offer.probability} for offer in session.offers(_OFFERS)]

    return JsonAnswer(resources.writers, work)


async def copies(request: Request) -> ASGIApp:
    """POST /api/copies: the passages of texts that are copied from the training text, as [start, length]."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    name = fields.text("model", "", most=200)
    texts = fields.texts("texts", number=MOST_TEXTS * 4, most=2 * MOST_CHARACTERS)
    fields.require_all_taken()

    def work(job: Job) -> dict[str, Any]:
        index = resources.models.load(name).copies()
        found = [find_copies(text, index).passages for text in texts]
        return {"least": COPY_LENGTH, "passages": [[[one.start, one.length] for one in text] for text in found]}

    return JsonAnswer(resources.analysts, work)


def _config(fields: Fields) -> SampleConfig:
    """The settings of sampling, written as the options of `charlm sample`."""
    length = fields.optional_whole("length", 0, MOST_CHARACTERS)
    config = SampleConfig(
        temperature=parse_temperature(fields.text("temperature", "0.8", most=200)),
        top_k=fields.whole("top_k", 0, 0, 1_000_000),
        top_p=fields.number("top_p", 1, 0, 1),
        min_p=fields.number("min_p", 0, 0, 1),
        typical=fields.number("typical", 1, 0, 1),
        repetition_penalty=fields.number("repetition_penalty", 1, 0, 100),
        bias=tuple(map(parse_bias, fields.texts("bias", number=100, most=200))),
        ban=fields.texts("ban", number=100, most=1000),
        stop=fields.texts("stop", number=100, most=1000),
        min_length=fields.whole("min_length", 0, 0, MOST_CHARACTERS),
        steer=tuple(map(parse_steer, fields.texts("steer", number=16, most=200))),
        label=take_labels(fields),
        source=take_source(fields),
        prefix_in_output=False,
        no_copy=fields.whole("no_copy", 0, 0, 1_000_000),
        unknown=fields.choice("unknown", "error", get_args(Unknown)),  # type: ignore[arg-type]
        must_contain=fields.texts("must_contain", number=20, most=200),
        lines=fields.optional_whole("lines", 1, 1000),
        acrostic=fields.text("acrostic", "", most=100),
        pattern=fields.text("pattern", "", most=1000) or None,
        words=fields.texts("words", number=20_000, most=100),
        syllables=parse_syllables(syllables) if (syllables := fields.text("syllables", "", most=200)) else (),
        rhyme=fields.text("rhyme", "", most=100),
    )
    if fields.flag("until_eos"):
        length = MOST_CONSTRAINED if config.is_constrained else MOST_CHARACTERS
    config = replace(config, length=length)
    if config.is_constrained and config.max_length > MOST_CONSTRAINED:
        raise RequestError(
            f"length is {config.max_length:,}; with {config.constraints[0]} give at most {MOST_CONSTRAINED:,}",
            param="length",
        )
    return config


def _merged(batch: list[Any]) -> list[Any]:
    """One event for each text in a batch of (index, chunk) and of ends, and one for each text that has ended."""
    texts: dict[int, list[Chunk]] = {}
    ends: list[Any] = []
    for result in batch:
        if isinstance(result, dict):
            ends.append(result)
        else:
            index, chunk = result
            texts.setdefault(index, []).append(chunk)
    return [_part(index, chunks) for index, chunks in texts.items()] + ends


def _part(index: int, chunks: list[Chunk]) -> list[Any]:
    """The event of the next characters of a text."""
    nats = [round(value, 4) for chunk in chunks for value in chunk.log_probabilities]
    return [index, "".join(chunk.text for chunk in chunks), nats]


def _end(index: int, seed: int, written: GeneratedText) -> dict[str, Any]:
    """The event of the end of a text."""
    return {
        "index": index,
        "seed": seed,
        "ended": written.ended,
        "log_probability": written.log_probability,
        "bits_per_character": written.bits_per_character,
    }

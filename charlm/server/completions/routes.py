"""The answers of /v1/completions and /v1/models.

The tokens of the API are characters here, whatever the tokens of the model, so `max_tokens` is a number of characters
and `logprobs` are those of `charlm sample --jsonl --show-probs`.
"""

import contextlib
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from charlm.server.answers import EventStream, JsonAnswer, json_response
from charlm.server.bodies import read_fields
from charlm.server.completions.choices import Part, choice, parts
from charlm.server.completions.request import CompletionRequest, parse_request
from charlm.server.errors import NotFoundError
from charlm.server.models import ServedModel, facts_of
from charlm.server.resources import ServerResources
from charlm.server.workers import Job


async def list_models(request: Request) -> Response:
    """GET /v1/models."""
    resources: ServerResources = request.app.state.resources
    data = list[dict[str, Any]]()
    for name, path in resources.models.paths().items():
        with contextlib.suppress(NotFoundError):
            data.append(_model_json(name, facts_of(name, path).st_mtime))
    return json_response({"object": "list", "data": data})


async def show_model(request: Request) -> Response:
    """GET /v1/models/NAME."""
    resources: ServerResources = request.app.state.resources
    name, path = resources.models.find(request.path_params["name"])
    return json_response(_model_json(name, facts_of(name, path).st_mtime))


async def complete(request: Request) -> ASGIApp:
    """POST /v1/completions."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    name, _ = resources.models.find(fields.text("model", "", most=200))
    stream = fields.flag("stream")
    head = {"id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time()), "model": name}
    if not stream:

        def answer(job: Job) -> dict[str, Any]:
            """All texts as one JSON object; runs in a writer's thread."""
            loaded = resources.models.load(name)
            return head | _whole(loaded, parse_request(fields, loaded.text_model.tokenizer), job)

        return JsonAnswer(resources.writers, answer)

    def work(job: Job) -> None:
        """Emit the parts of the texts as they are written, and at the end how many tokens they have, if asked for."""
        loaded = resources.models.load(name)
        parsed = parse_request(fields, loaded.text_model.tokenizer)
        usage = _Usage()
        for part in parts(loaded, parsed):
            usage.add(part)
            job.emit((parsed, part))
        if parsed.usage:
            job.emit(usage.to_json())

    return EventStream(resources.writers, work, merge=_Events(head))


class _Events:
    """Makes the events of a stream from batches of parts: one for each text in a batch."""

    def __init__(self, head: dict[str, Any]) -> None:
        self._head = head
        self._position: dict[int, int] = {}

    def __call__(self, batch: list[Any]) -> list[Any]:
        merged: dict[int, list[Part]] = {}
        events: list[Any] = []
        logprobs = False
        for result in batch:
            if isinstance(result, dict):
                events.append(self._head | {"choices": [], "usage": result})
                continue
            request, part = result
            logprobs = request.logprobs is not None
            merged.setdefault(part.index, []).append(part)
        return [self._event(found, logprobs) for found in merged.values()] + events

    def _event(self, found: list[Part], logprobs: bool) -> dict[str, Any]:
        start = self._position.get(found[0].index, 0)
        made = choice(found, start, logprobs=logprobs)
        self._position[found[0].index] = start + len(made["text"])
        return self._head | {"choices": [made]}


class _Usage:
    """The number of characters read and written."""

    def __init__(self) -> None:
        self._read = self._written = 0

    def add(self, part: Part) -> None:
        """Count a part."""
        if part.written is not None:
            self._read += len(part.written.source or part.written.prefix)
            self._written += part.written.characters

    def to_json(self) -> dict[str, int]:
        """The numbers by the names of the API."""
        total = self._read + self._written
        return {"prompt_tokens": self._read, "completion_tokens": self._written, "total_tokens": total}


def _whole(loaded: ServedModel, request: CompletionRequest, job: Job) -> dict[str, Any]:
    """The choices and the usage of an answer that is not streamed."""
    found: dict[int, list[Part]] = {}
    usage = _Usage()
    for part in parts(loaded, request):
        job.require_wanted()
        usage.add(part)
        found.setdefault(part.index, []).append(part)
    choices = [choice(one, 0, logprobs=request.logprobs is not None) for one in found.values()]
    return {"choices": choices, "usage": usage.to_json()}


def _model_json(name: str, created: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(created), "owned_by": "charlm"}

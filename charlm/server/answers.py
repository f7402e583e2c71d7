"""Answers that a worker computes: JSON, or a stream of server-sent events. A client that leaves ends the work."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from charlm.errors import CharlmError
from charlm.server.errors import error_json, status_of
from charlm.server.workers import Job, Work, Workers

SEND_SECONDS = 30.0
"""Longest time in which a client must take what is sent."""
DONE = b"data: [DONE]\n\n"


class JsonAnswer:
    """The JSON value that a function computes in a worker."""

    def __init__(self, workers: Workers, work: Callable[[Job], Any]) -> None:
        self._workers, self._work = workers, work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as an ASGI application; the body of the request must have been read."""

        async def answer() -> None:
            try:
                response = json_response(await self._workers.run(self._work))
            except CharlmError as error:
                response = error_response(error)
            await response(scope, receive, _with_timeout(send))

        await _unless_gone(receive, answer())


class EventStream:
    """The results of a worker as server-sent events, one for each batch, with `[DONE]` at the end.

    An error before the first result is an answer with its status; a later one is an event.
    """

    def __init__(
        self, workers: Workers, work: Work, *, merge: Callable[[list[Any]], list[Any]] = lambda batch: batch
    ) -> None:
        """`merge` makes the events of a batch, each a JSON value; without it each result is one."""
        self._workers, self._work, self._merge = workers, work, merge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as an ASGI application; the body of the request must have been read."""
        await _unless_gone(receive, self._answer(scope, receive, _with_timeout(send)))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_part(body: bytes, *, more: bool = True) -> None:
            """Send a part of the body, the first one after the status and the headers."""
            nonlocal has_begun
            if not has_begun:
                headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                has_begun = True
            await send({"type": "http.response.body", "body": body, "more_body": more})

        batches = self._workers.stream(self._work)
        try:
            async for batch in batches:
                await send_part(b"".join(map(event, self._merge(batch))))
        except CharlmError as error:
            if not has_begun:
                await error_response(error)(scope, receive, send)
                return
            await send_part(event(error_json(error)))
        finally:
            await batches.aclose()  # type: ignore[attr-defined]
        await send_part(DONE, more=False)


def event(value: Any) -> bytes:
    """A JSON value as a server-sent event."""
    return b"data: " + _json_bytes(value) + b"\n\n"


def json_response(value: Any) -> Response:
    """The answer for a JSON value."""
    return Response(_json_bytes(value), media_type="application/json")


def error_response(error: CharlmError) -> Response:
    """The answer for an error."""
    headers = {"retry-after": "1"} if status_of(error) == 503 else None
    content = _json_bytes(error_json(error))
    return Response(content, status_code=status_of(error), headers=headers, media_type="application/json")


def _json_bytes(value: Any) -> bytes:
    """A JSON value in UTF-8; half of a surrogate pair, as in the name of a file that isn't UTF-8, becomes a question
    mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


async def _unless_gone(receive: Receive, answer: Coroutine[Any, Any, None]) -> None:
    """Await an answer, and cancel it when the client leaves."""

    async def leave() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = asyncio.ensure_future(answer), asyncio.ensure_future(leave())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(ended[0], Exception) and not isinstance(ended[0], TimeoutError | OSError):
        raise ended[0]


def _with_timeout(send: Send) -> Send:
    """`send`, with a `TimeoutError` for a client that takes nothing."""

    async def send_in_time(message: Message) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await send(message)

    return send_in_time

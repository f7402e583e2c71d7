"""The routes of a server, behind its guard."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from charlm.errors import CharlmError
from charlm.server.answers import error_response
from charlm.server.completions import routes as completions
from charlm.server.errors import NotFoundError, RequestError
from charlm.server.pages import PAGES, show_file, show_page
from charlm.server.resources import ServerResources
from charlm.server.security import Guard
from charlm.server.views import lecture, read, train, write

_COMPUTED = {
    "/v1/completions": completions.complete,
    "/api/write": write.write,
    "/api/alternatives": write.alternatives,
    "/api/copies": write.copies,
    "/api/read": read.read_text,
    "/api/neurons": read.find_units,
    "/api/trace": lecture.trace_word,
    "/api/diagnose": lecture.diagnose_text,
}
"""Requests that only compute something and change nothing, so that they need no token."""


def make_app(resources: ServerResources, *, port: int, token: str) -> ASGIApp:
    """The application of a server on a port of this machine; `token` is needed for what changes anything."""
    routes: list[BaseRoute] = [Route(path, show_page, methods=["GET"]) for path in PAGES]
    routes += [Route(path, answer, methods=["POST"]) for path, answer in _COMPUTED.items()]
    routes += [
        Route("/static/{name}", show_file, methods=["GET"]),
        Route("/v1/models", completions.list_models, methods=["GET"]),
        Route("/v1/models/{name}", completions.show_model, methods=["GET"]),
        Route("/api/models", write.list_models, methods=["GET"]),
        Route("/api/models/{name}", write.show_model, methods=["GET"]),
        Route("/api/cells", lecture.list_cells, methods=["GET"]),
        Route("/api/corpora", train.list_corpora, methods=["GET"]),
        Route("/api/uploads", train.upload, methods=["POST"]),
        Route("/api/uploads/{name}", train.delete_upload, methods=["DELETE"]),
        Route("/api/runs", train.list_all, methods=["GET"]),
        Route("/api/runs", train.start, methods=["POST"]),
        Route("/api/runs/{name}", train.show, methods=["GET"]),
        Route("/api/runs/{name}", train.delete, methods=["DELETE"]),
        Route("/api/runs/{name}/samples", train.show_samples, methods=["GET"]),
        Route("/api/runs/{name}/baselines", train.show_baselines, methods=["GET"]),
        Route("/api/runs/{name}/stop", train.stop, methods=["POST"]),
        Route("/api/runs/{name}/resume", train.resume, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={CharlmError: _error, HTTPException: _http_error})
    app.state.resources = resources
    return Guard(app, port=port, token=token, open_paths=_COMPUTED)


async def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CharlmError)
    return error_response(error)


async def _http_error(request: Request, error: Exception) -> Response:
    """The answer for an error that Starlette raises: there is no such path, or it has no such method."""
    assert isinstance(error, HTTPException)
    answer = error_response(
        NotFoundError("there is no such page; open the address that charlm serve printed")
        if error.status_code == 404
        else _refused(error)
    )
    answer.status_code = error.status_code
    return answer


def _refused(error: HTTPException) -> RequestError:
    return RequestError(f"the request was refused: {error.detail.lower()}")

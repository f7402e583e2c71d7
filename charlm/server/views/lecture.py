"""The Lecture page: a tiny model of one word, step by step, and gradients through time."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from charlm.analysis.gradients.diagnosis import diagnose
from charlm.analysis.trace import trace
from charlm.cells import CELLS
from charlm.data.registry import registry
from charlm.server.answers import JsonAnswer
from charlm.server.bodies import read_fields
from charlm.server.errors import NotFoundError
from charlm.server.resources import ServerResources
from charlm.server.training.uploads import upload_path
from charlm.server.workers import Job

TRACE_SECONDS = 60.0
"""Longest time that a trace may take."""
DIAGNOSE_SECONDS = 300.0
"""Longest time that the gradients of all cells may take."""
_MOST_SEED = 2**31


async def list_cells(request: Request) -> JSONResponse:
    """GET /api/cells: the equations of every cell, and where they are from."""
    cells = {name: {"equations": cell.equations, "reference": cell.reference} for name, cell in CELLS.items()}
    return JSONResponse(cells)


async def trace_word(request: Request) -> ASGIApp:
    """POST /api/trace: what `charlm trace --json` shows."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    text = fields.text("text", most=64)
    cell = fields.choice("cell", "rnn", tuple(CELLS))
    hidden, steps = fields.whole("hidden", 3, 1, 64), fields.whole("steps", 500, 1, 3000)
    seed = fields.whole("seed", 1, 0, _MOST_SEED)
    fields.require_all_taken()

    def work(job: Job) -> dict[str, Any]:
        progress = job.progress_within(TRACE_SECONDS)
        return trace(text, cell=cell, hidden_size=hidden, steps=steps, seed=seed, progress=progress).to_json()

    return JsonAnswer(resources.analysts, work)


async def diagnose_text(request: Request) -> ASGIApp:
    """POST /api/diagnose: what `charlm diagnose --json` shows, for a named corpus or an upload."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    corpus, own = fields.text("corpus", "", most=100), fields.text("upload", "", most=100)
    cells = fields.texts("cells", number=4, most=40) or ("rnn", "lstm", "gru")
    lags, steps = fields.whole("lags", 100, 1, 200), fields.whole("steps", 200, 0, 1000)
    hidden = fields.whole("hidden", 32, 2, 64)
    fields.require_all_taken()
    if not own and corpus not in registry():
        raise NotFoundError(f"there is no corpus {corpus!r}; choose one of the list", param="corpus")
    text = str(upload_path(own)) if own else corpus

    def work(job: Job) -> dict[str, Any]:
        progress = job.progress_within(DIAGNOSE_SECONDS)
        return diagnose(text, cells=cells, lags=lags, steps=steps, hidden_size=hidden, progress=progress).to_json()

    return JsonAnswer(resources.analysts, work)

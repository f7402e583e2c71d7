"""The Train page: texts to train on, the runs with their figures, and to start, stop, resume and delete them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from charlm.data.registry import registry
from charlm.errors import CharlmError
from charlm.server.answers import JsonAnswer
from charlm.server.bodies import read_body, read_fields
from charlm.server.errors import ConflictError, NotFoundError, RequestError
from charlm.server.resources import ServerResources
from charlm.server.training import runs
from charlm.server.training.process import TrainingRequest
from charlm.server.training.uploads import MOST_BYTES, keep_upload, upload_names, upload_path
from charlm.server.workers import Job
from charlm.storage.runs import RUNS, RunFolder, new_run

_UPLOAD_SECONDS = 120.0
_MOST_MINUTES = 24 * 60.0
_SETTINGS = ("cell", "hidden_size", "num_layers", "dropout", "ngram_order", "match")


async def list_corpora(request: Request) -> JSONResponse:
    """GET /api/corpora: the named corpora and the uploads."""
    named = [{"name": one.name, "description": one.description, "here": one.here} for one in registry().values()]
    return JSONResponse({"named": named, "uploads": upload_names()})


async def upload(request: Request) -> JSONResponse:
    """POST /api/uploads?title=T: keep a text, the body of the request."""
    content = await read_body(request, most=MOST_BYTES, seconds=_UPLOAD_SECONDS)
    return JSONResponse({"name": keep_upload(request.query_params.get("title", "")[:200], content)})


async def delete_upload(request: Request) -> JSONResponse:
    """DELETE /api/uploads/NAME."""
    upload_path(request.path_params["name"]).unlink(missing_ok=True)
    return JSONResponse({})


async def list_all(request: Request) -> ASGIApp:
    """GET /api/runs: all runs, the newest first, and the training of this server."""
    resources: ServerResources = request.app.state.resources

    def work(job: Job) -> dict[str, Any]:
        found = resources.summaries.listed()
        listed = [one.to_json() | {"training": runs.is_training(RunFolder(RUNS / one.run))} for one in found]
        last = resources.trainings.last
        return {"runs": listed, "last": None if last is None else last.to_json()}

    return JsonAnswer(resources.writers, work)


async def show(request: Request) -> ASGIApp:
    """GET /api/runs/NAME?offset=N: the figures since an offset, and the state of a run; from 0 on also its settings."""
    resources: ServerResources = request.app.state.resources
    name, offset = request.path_params["name"], request.query_params.get("offset", "0")
    if not (offset.isascii() and offset.isdecimal() and len(offset) < 16):
        raise RequestError("offset must be a number of bytes", param="offset")

    def work(job: Job) -> dict[str, Any]:
        run = runs.find_run_folder(name)
        last = resources.trainings.last
        own = last.to_json() if last is not None and last.run == name else None
        found = runs.figures_since(run, int(offset)) | {"training": runs.is_training(run), "own": own}
        return found if int(offset) and not found["restarted"] else found | {"settings": _settings(run)}

    return JsonAnswer(resources.writers, work)


async def show_samples(request: Request) -> ASGIApp:
    """GET /api/runs/NAME/samples."""
    resources: ServerResources = request.app.state.resources
    name = request.path_params["name"]
    return JsonAnswer(resources.writers, lambda job: runs.samples_of(runs.find_run_folder(name)))


async def show_baselines(request: Request) -> ASGIApp:
    """GET /api/runs/NAME/baselines: what the n-gram model and xz need, in bits per character."""
    resources: ServerResources = request.app.state.resources
    name = request.path_params["name"]
    return JsonAnswer(resources.measurers, lambda job: resources.baselines.of(runs.find_run_folder(name), job))


async def start(request: Request) -> ASGIApp:
    """POST /api/runs: train on a named corpus or an upload for some minutes."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    corpus, own = fields.text("corpus", "", most=100), fields.text("upload", "", most=100)
    minutes = fields.number("minutes", 5, 0.05, _MOST_MINUTES)
    documents = fields.choice("documents", "auto", ("auto", "file", "line", "paragraph"))
    steps = fields.optional_whole("steps", 1, 10**9)
    name = fields.text("run", "", most=100)
    fields.require_all_taken()
    if own:
        text, stem = str(upload_path(own).resolve()), own
    elif corpus in registry():
        text, stem = corpus, corpus
    else:
        raise NotFoundError(f"there is no corpus {corpus!r}; choose one of the list, or upload a text", param="corpus")
    name = name or new_run(stem).name
    runs.check_new_name(name)
    if (RUNS / name).exists():
        raise ConflictError(f"there is a run {name!r}; choose another name, or delete it first")
    wanted = TrainingRequest(
        run=str(RUNS / name),
        text=text,
        documents=documents,  # type: ignore[arg-type]
        minutes=minutes,
        steps=steps,
    )
    return JsonAnswer(resources.writers, lambda job: resources.trainings.start(name, wanted).to_json())


async def stop(request: Request) -> JSONResponse:
    """POST /api/runs/NAME/stop: let the training save and stop."""
    resources: ServerResources = request.app.state.resources
    resources.trainings.stop(request.path_params["name"])
    return JSONResponse({})


async def resume(request: Request) -> ASGIApp:
    """POST /api/runs/NAME/resume: continue a run, up to a new length in minutes if one is given."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    minutes = fields.number("minutes", 0, 0, _MOST_MINUTES)
    fields.require_all_taken()
    name = request.path_params["name"]
    runs.find_run_folder(name)
    wanted = TrainingRequest(run=str(RUNS / name), minutes=minutes or None)
    return JsonAnswer(resources.writers, lambda job: resources.trainings.start(name, wanted).to_json())


async def delete(request: Request) -> ASGIApp:
    """DELETE /api/runs/NAME."""
    resources: ServerResources = request.app.state.resources
    name = request.path_params["name"]

    def work(job: Job) -> dict[str, Any]:
        runs.delete_run(runs.find_run_folder(name))
        return {}

    return JsonAnswer(resources.writers, work)


def _settings(run: RunFolder) -> dict[str, Any]:
    """The settings of a run, as far as they can be read."""
    try:
        config = run.read_config()
    except CharlmError:
        return {}
    model = {name: config.model[name] for name in _SETTINGS if name in config.model}
    training = config.training
    return model | {
        "minutes": training.minutes,
        "batch_size": training.batch_size,
        "seq_len": training.seq_len,
        "optimizer": training.optimizer,
        "learning_rate": training.learning_rate,
        "seed": training.seed,
    }

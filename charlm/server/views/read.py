"""The Read page: how surprising each character of a text is, the values of a unit, and the units that follow it."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp

from charlm.analysis.html.heatmap_page import reading_data
from charlm.analysis.html.neurons_page import excerpts
from charlm.analysis.units.neurons import find_neurons
from charlm.analysis.units.reading import read
from charlm.model.unit import Unit, names_unit
from charlm.sampling.pairs.source import require_source
from charlm.server.answers import JsonAnswer
from charlm.server.bodies import Fields, read_fields, take_labels, take_source
from charlm.server.resources import ServerResources
from charlm.server.workers import Job
from charlm.text_model import TextModel, require_forward

MOST_CHARACTERS = 200_000
"""The most characters of a text that is read."""
_MOST_TOKENS = 20_000  # for which units are searched


async def read_text(request: Request) -> ASGIApp:
    """POST /api/read: what `charlm heatmap --html` shows of a text, and its mean bits per character."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    load, text = _reader(resources, fields), fields.text("text", most=MOST_CHARACTERS)
    series = fields.text("unit", "", most=40)
    fields.require_all_taken()
    unit = (Unit.parse(series) if names_unit(series) else Unit.parse_gate(series)) if series else None

    def work(job: Job) -> dict[str, Any]:
        model = load()
        reading = read(model.model, model.tokenizer, text, unit=unit, unknown="replace", progress=job.progress)
        mean = float(reading.bits.sum()) / max(1, len("".join(reading.texts)))
        return {
            "data": reading_data(reading, model.tokenizer, unit=unit),
            "bits_per_character": mean,
            "tokens": len(reading.ids),
        }

    return JsonAnswer(resources.writers, work)


async def find_units(request: Request) -> ASGIApp:
    """POST /api/neurons: the units that follow properties of a text, and an excerpt for each confirmed one."""
    resources: ServerResources = request.app.state.resources
    fields = await read_fields(request)
    load, text = _reader(resources, fields), fields.text("text", most=MOST_CHARACTERS)
    fields.require_all_taken()

    def work(job: Job) -> dict[str, Any]:
        model = load()
        found = find_neurons(
            model.model, model.tokenizer, text, top=1, tokens=_MOST_TOKENS, unknown="replace", progress=job.progress
        )
        rows = [
            {
                "property": finding.name,
                "unit": str(follower.unit),
                "response": finding.response(follower),
                "metric": finding.metric,
                "found": follower.found,
                "untrained": finding.untrained,
                "confirmed": follower.confirmed,
            }
            for finding in found.findings
            for follower in finding.followers
        ]
        return {"rows": rows, "excerpts": excerpts(found), "left_out": found.left_out, "tokens": len(found.texts)}

    return JsonAnswer(resources.analysts, work)


def _reader(resources: ServerResources, fields: Fields) -> Callable[[], TextModel]:
    """Take the model and the labels and source of the text; the result loads the model that reads it."""
    name, labels, source = fields.text("model", "", most=200), take_labels(fields), take_source(fields)

    def load() -> TextModel:
        model = resources.models.load(name).text_model
        model = model.with_labels(*labels) if labels else model
        model = model if source is None else model.with_source(source, unknown="replace")
        require_source(model.model, model.corpus_config)
        require_forward(model, "the Read page")
        return model

    return load

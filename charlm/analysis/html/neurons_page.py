"""A self-contained HTML page that shows, for each property, its best confirmed unit on an excerpt of the text."""

import html
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.html.template import fill_template
from charlm.analysis.units.findings import Finding, Follower, Neurons
from charlm.nouns import count_of, form_for, rounded

_EXCERPT = 700  # tokens
_MAX_SHIFT = 150  # tokens by which an excerpt may shift to begin at a line start
_COLUMNS = ("property", "unit", "response", "metric", "held-out", "selection", "untrained", "confirmed")


def neurons_page(neurons: Neurons, *, title: str) -> str:
    """The page: a table of properties and units, then for each property an excerpt coloured by its best confirmed unit.

    Excerpts come mostly from the held-out half of the text, which was not used to select units.
    """
    data = excerpts(neurons)
    about = (
        f"{count_of(len(neurons.texts), 'token')}; {len(data)} of {count_of(len(neurons.findings), 'property')} "
        f"{form_for(len(data), 'has', 'have')} a confirmed unit. "
        "Orange: above the unit's mean. Blue: below it. Underlined: the property holds."
    )
    return fill_template("neurons.html", title=title, about=about, data=data, body=_table(neurons))


def excerpts(neurons: Neurons) -> list[dict[str, Any]]:
    """What `showExcerpts` in neurons.js shows, as JSON values: an excerpt for each property with a confirmed unit."""
    return [
        _excerpt(neurons, finding, follower)
        for finding in neurons.findings
        if (follower := finding.confirmed) is not None
    ]


def _table(neurons: Neurons) -> str:
    """All properties, each with its best confirmed unit, or with its best unit if none is confirmed."""
    rows, section = [], 0
    for finding in neurons.findings:
        follower = finding.confirmed or finding.followers[0]
        name = html.escape(finding.name)
        if follower.confirmed:
            name, section = f'<a href="#property-{section}">{name}</a>', section + 1
        cells = [name, str(follower.unit), finding.response(follower), finding.metric]
        cells += [rounded(value, ".3f") for value in (follower.found, follower.chosen, finding.untrained)]
        cells.append("yes" if follower.confirmed else "no")
        labelled = (f'<td data-name="{name}">{cell}</td>' for name, cell in zip(_COLUMNS, cells, strict=True))
        rows.append(f"<tr>{''.join(labelled)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""


def _excerpt(neurons: Neurons, finding: Finding, follower: Follower) -> dict[str, Any]:
    """The data of one section."""
    values, property_values = neurons.values[follower.unit], neurons.property_values[finding.name]
    start = _excerpt_start(property_values, neurons.held_out)
    search = range(start, min(start + _MAX_SHIFT, len(values)))
    newline = next((place for place in search if neurons.texts[place].endswith(("\n", "\r"))), None)
    start = newline + 1 if start and newline is not None else start
    while start + 1 < len(values) and neurons.texts[start] in ("\n", "\r"):
        start += 1
    excerpt = slice(start, start + _EXCERPT)
    mean = float(values.mean())
    condition = "where the property holds" if finding.kind == "yes or no" else "as the property rises"
    return {
        "property": finding.name,
        "about": f"unit {follower.unit}: {finding.response(follower)} {condition}; "
        f"{finding.metric} {rounded(follower.found, '.3f')} held-out, {rounded(follower.chosen, '.3f')} selection, "
        f"{rounded(finding.untrained, '.3f')} untrained",
        "yes": finding.kind == "yes or no",
        "texts": neurons.texts[excerpt],
        "held": [int(value) for value in property_values[excerpt].tolist()],
        "values": [round(value, 3) for value in values[excerpt].tolist()],
        "middle": mean,
        "reach": max(1e-6, float(np.quantile(np.abs(values - mean), 0.98))),
    }


def _excerpt_start(property_values: NDArray[np.float32], held_out: NDArray[np.bool_]) -> int:
    """Start of an excerpt that is mostly held-out and in which the property changes often and takes many values."""
    best, best_start = -1.0, 0
    for start in range(0, max(1, len(property_values) - _EXCERPT + 1), _EXCERPT // 4):
        part = property_values[start : start + _EXCERPT]
        share = held_out[start : start + _EXCERPT].mean()
        score = float(share * part.std() * np.sqrt(np.count_nonzero(np.diff(part))))
        if score > best:
            best, best_start = score, start
    return best_start

"""Units that mean something, each on an excerpt of the text, as one page of HTML that needs nothing else."""

import html
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.html.reading_page import fill
from charlm.analysis.units.neurons import Finding, Follower, Neurons

_EXCERPT = 700  # tokens
_MARGIN = 150  # tokens that an excerpt may shift to begin with a line


def neurons_page(neurons: Neurons, *, title: str) -> str:
    """The page: a table of what was found, then for each property its best confirmed unit, colouring an excerpt.

    The excerpts are of the half of the text by which no unit was chosen.
    """
    data = [
        _excerpt(neurons, finding, follower)
        for finding in neurons.findings
        if (follower := finding.confirmed) is not None
    ]
    about = (
        f"{len(neurons.texts):,} tokens; {len(data)} of {len(neurons.findings)} properties have a confirmed unit. Red: "
        "above the unit's mean, blue: below. Underlined: where the property holds."
    )
    return fill("neurons.html", title=title, about=about, data=data, body=_table(neurons))


def _table(neurons: Neurons) -> str:
    """All properties, with the unit that stands for each."""
    rows, number = [], 0
    for finding in neurons.findings:
        one = finding.confirmed or finding.followers[0]
        name = html.escape(finding.name)
        if one.confirmed:
            name, number = f'<a href="#property-{number}">{name}</a>', number + 1
        figures = (one.found, one.chosen, finding.untrained)
        cells = [name, str(one.unit), finding.then(one), finding.figure]
        cells += [f"{figure:.3f}" for figure in figures]
        cells.append("" if one.confirmed else "not confirmed")
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    names = ("property", "unit", "then", "figure", "found", "chosen by", "untrained", "")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>" if rows else ""


def _excerpt(neurons: Neurons, finding: Finding, follower: Follower) -> dict[str, Any]:
    """The data of one section."""
    values, held = neurons.values[follower.unit], neurons.held[finding.name]
    start = _best_window(held, neurons.blind)
    lines = [place for place in range(start, min(start + _MARGIN, len(held))) if neurons.texts[place].endswith("\n")]
    start = lines[0] + 1 if start and lines else start
    while start + 1 < len(held) and neurons.texts[start] in ("\n", "\r"):
        start += 1
    shown = slice(start, start + _EXCERPT)
    middle = float(values.mean())
    meanwhile = "while it holds" if finding.kind == "yes or no" else "as it rises"
    return {
        "property": finding.name,
        "about": f"unit {follower.unit}, {finding.then(follower)} {meanwhile}; "
        f"{finding.figure} {follower.found:.3f}, chosen by {follower.chosen:.3f}, "
        f"untrained {finding.untrained:.3f}",
        "yes": finding.kind == "yes or no",
        "texts": neurons.texts[shown],
        "held": [int(value) for value in held[shown].tolist()],
        "values": [round(value, 3) for value in values[shown].tolist()],
        "middle": middle,
        "reach": max(1e-6, float(np.quantile(np.abs(values - middle), 0.98))),
    }


def _best_window(held: NDArray[np.float32], blind: NDArray[np.bool_]) -> int:
    """Where an excerpt begins in which the property changes often and takes many values."""
    best, start = -1.0, 0
    for place in range(0, max(1, len(held) - _EXCERPT + 1), _EXCERPT // 4):
        part = held[place : place + _EXCERPT]
        share = blind[place : place + _EXCERPT].mean()
        score = float(share * part.std() * np.sqrt(np.count_nonzero(np.diff(part))))
        if score > best:
            best, start = score, place
    return start

"""How well a unit follows a property, by the ranks of its values: area under the ROC curve and rank correlation.

Both are linear in the ranks, so each unit is ranked once, and one matrix product gives its statistics for all
properties.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.units.properties import Property
from charlm.progress import Progress, silent


def rank_statistics(
    values: NDArray[np.float32], properties: Sequence[Property], where: NDArray[np.bool_], progress: Progress = silent
) -> NDArray[np.float64]:
    """Compare each unit with each property.

    Args:
        values: the values of each unit, (units, N).
        properties: the properties of the text, with N values each.
        where: the positions to use, (N,); of these, only the ones where the property is defined count.
        progress: receives how many units are done.

    Returns:
        (units, properties), from -1 to 1: Spearman's rank correlation for a number; 2 AUC - 1 for a yes-or-no property,
        where AUC = (R - n (n + 1) / 2) / (n m) with R the sum of the ranks of the n values where the property holds and
        m the number of the others (Mann and Whitney 1947). Ties get their mean rank; a constant gives 0.
    """
    statistics = np.zeros((len(values), len(properties)))
    everywhere = [column for column, one in enumerate(properties) if one.where is None]
    groups = [everywhere, *([column] for column, one in enumerate(properties) if one.where is not None)]
    tables = [
        (columns, places, np.stack([_weights(properties[column], places) for column in columns], axis=1))
        for columns in groups
        if columns and (places := properties[columns[0]].within(where)).any()
    ]
    is_number = np.array([one.kind == "number" for one in properties], bool)
    for unit, row in enumerate(values if tables else ()):
        for columns, places, weights in tables:
            centred = ranks(row[places])
            centred -= centred.mean()
            norm = float(np.sqrt((centred**2).sum())) or 1.0
            statistics[unit, columns] = centred @ weights / np.where(is_number[columns], norm, 1.0)
        progress("comparing", unit + 1, len(values))
    return statistics


def _weights(one: Property, places: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Factors for the centred ranks of a unit; 0 if the property doesn't vary."""
    column = one.values[places].astype(np.float64)
    if one.kind == "yes or no":
        n = column.sum()
        size = n * (len(column) - n) / 2
    else:
        column = ranks(column)
        size = float(np.sqrt(((column - column.mean()) ** 2).sum()))
    weights: NDArray[np.float64] = (column - column.mean()) / size if size > 0 else np.zeros(len(column))
    return weights


def ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks from 1 up, ties at their mean, (N,)."""
    order = np.argsort(values)
    ordered = values[order]
    starts_tie = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    bounds = np.append(np.flatnonzero(starts_tie), len(values))
    result = np.empty(len(values))
    result[order] = ((bounds[1:] + bounds[:-1] + 1) / 2)[np.cumsum(starts_tie) - 1]
    return result

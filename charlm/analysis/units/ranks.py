"""How well a unit follows a property, by the ranks of its values: the area under the ROC curve and rank correlation.

Both are linear in the ranks, so that ranks are made once for each unit, and one product gives all its figures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.analysis.units.properties import Property
from charlm.progress import Progress, silent


def rank_figures(
    values: NDArray[np.float32], held: Sequence[Property], where: NDArray[np.bool_], progress: Progress = silent
) -> NDArray[np.float64]:
    """Each unit beside each property.

    Args:
        values: (units, N).
        held: properties of N values.
        where: the places that count, (N,), if the property is asked for there.
        progress: told how many units are done.

    Returns:
        (units, properties), from -1 to 1: of a number Spearman's rank correlation; of what holds or doesn't 2 AUC - 1,
        where AUC = (R - n (n + 1) / 2) / (n m) with R the sum of the ranks of the n values where it holds and m the
        number of the others (Mann and Whitney 1947). Ties have their mean rank; what never moves has 0.
    """
    figures = np.zeros((len(values), len(held)))
    everywhere = [column for column, one in enumerate(held) if one.where is None]
    groups = [everywhere, *([column] for column, one in enumerate(held) if one.where is not None)]
    tables = [
        (columns, places, np.stack([_weights(held[column], places) for column in columns], axis=1))
        for columns in groups
        if columns and (places := held[columns[0]].within(where)).any()
    ]
    numbers = np.array([one.kind == "number" for one in held], bool)
    for unit, row in enumerate(values if tables else ()):
        for columns, places, weights in tables:
            centred = ranks(row[places])
            centred -= centred.mean()
            norm = float(np.sqrt((centred**2).sum())) or 1.0
            figures[unit, columns] = centred @ weights / np.where(numbers[columns], norm, 1.0)
        progress("comparing", unit + 1, len(values))
    return figures


def _weights(one: Property, places: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the ranks are multiplied by; 0 where the property doesn't vary."""
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
    fresh = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    bounds = np.append(np.flatnonzero(fresh), len(values))
    result = np.empty(len(values))
    result[order] = ((bounds[1:] + bounds[:-1] + 1) / 2)[np.cumsum(fresh) - 1]
    return result

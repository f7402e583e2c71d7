"""Labels as numbers, in which they are stored beside the tokens of a text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charlm.config import MAX_LABEL_VALUES, LabelColumn, Labels

Codes = NDArray[np.uint16]
"""Values of labels: 0 for none, else 1 + the value's place in the list of all values of all labels."""


class LabelCodes:
    """The codes of the labels that a model knows."""

    def __init__(self, columns: Sequence[LabelColumn]) -> None:
        self._names = {column.name: index for index, column in enumerate(columns)}
        values = (pair for column in columns for pair in ((column.name, value) for value in column.values))
        self._codes = {pair: code for code, pair in enumerate(values, 1)}
        self.unknown: set[tuple[str, str]] = set()
        """Values of known labels that were met and that the model doesn't know; their documents have code 0."""

    def __len__(self) -> int:
        """The number of labels that the model knows."""
        return len(self._names)

    def __call__(self, labels: Labels) -> Codes:
        """The codes of a document with these labels, one for each label of the model, (C,)."""
        codes = np.zeros(len(self._names), np.uint16)
        for name, value in labels:
            if (index := self._names.get(name)) is None:
                continue
            codes[index] = self._codes.get((name, value), 0)
            if not codes[index] and len(self.unknown) < MAX_LABEL_VALUES:
                self.unknown.add((name, value))
        return codes

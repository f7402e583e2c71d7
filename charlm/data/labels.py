"""Which labels the documents of a text have, and whether a model can learn them."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from charlm.config import MAX_LABEL_VALUES, CorpusConfig, LabelColumn, Labels
from charlm.config.names import closest
from charlm.errors import CorpusError
from charlm.nouns import count_of

_MANY = 20  # values, from which each should have several documents
_FEWEST = 2  # documents of a value, on average
_NAMED = 8  # columns that a message names


def source_labels(name: str, config: CorpusConfig) -> Labels:
    """The labels that a file gives its documents; `name` is its path below the folder that the user named."""
    path = PurePosixPath(" ".join(name.split()))
    labels: Labels = ()
    if config.label_files is not None:
        labels = ((config.label_files, path.stem),)
    if config.label_folders is not None and len(path.parts) > 1:
        labels = (*labels, (config.label_folders, path.parts[0]))
    return labels


class LabelCounts:
    """How many documents of a text have each value of each label."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._counts: dict[str, dict[str, int]] = {name: {} for name in config.label_names}

    def add(self, labels: Labels, documents: int) -> None:
        """Count some documents that have these labels."""
        for name, value in labels:
            counts = self._counts[name]
            if value in counts or len(counts) <= MAX_LABEL_VALUES:
                counts[value] = counts.get(value, 0) + documents

    @property
    def most_values(self) -> int:
        """The number of values of the label that has most."""
        return max(map(len, self._counts.values()), default=0)

    def columns(self, documents: int, columns: Sequence[str]) -> tuple[LabelColumn, ...]:
        """The labels with their values in order, numbers by size.

        Args:
            documents: the number of documents of the text.
            columns: the columns of its table, if they are known.

        Raises `CorpusError` for a label without values, with one, or with too many to learn.
        """
        found = []
        for name, counts in self._counts.items():
            option = self._option(name)
            if not counts:
                raise CorpusError(f"{option}: {self._why_none(name, columns)}")
            if len(counts) == 1:
                only = next(iter(counts))
                raise CorpusError(
                    f"{option} has only the value {only[:60]!r}, which says nothing about a text; give a label with "
                    "two values or more, or leave it out"
                )
            rare = len(counts) > _MANY and sum(counts.values()) < _FEWEST * len(counts)
            if len(counts) > MAX_LABEL_VALUES or (rare and self._is_column(name)):
                number = f"more than {MAX_LABEL_VALUES:,}" if len(counts) > MAX_LABEL_VALUES else f"{len(counts):,}"
                raise CorpusError(
                    f"{option} has {number} different values in {count_of(documents, 'document')}; a label is a value "
                    "that many documents share, so group its values (such as numbers into ranges) or leave it out"
                )
            values = sorted(counts, key=_order)
            found.append(LabelColumn(name=name, values=tuple(values), documents=tuple(counts[one] for one in values)))
        if (number_of_values := sum(len(label.values) for label in found)) > MAX_LABEL_VALUES:
            raise CorpusError(
                f"the labels have {number_of_values:,} values together; at most {MAX_LABEL_VALUES:,} are possible, so "
                "leave out a label"
            )
        return tuple(found)

    def _is_column(self, name: str) -> bool:
        return name in self._config.label_columns

    def _option(self, name: str) -> str:
        if self._is_column(name):
            return f"--label-column {name}"
        return f"--label-files {name}" if name == self._config.label_files else f"--label-folders {name}"

    def _why_none(self, name: str, columns: Sequence[str]) -> str:
        if not self._is_column(name):
            return "the text has no sub-folders; name a folder that has one for each value"
        if not columns or name in columns:
            return "no document has a value in this column"
        return f"there is no such column; {named_columns(name, columns)}"


def named_columns(missing: str, columns: Sequence[str]) -> str:
    """A clause about the columns that a table has instead of a missing one."""
    if (near := closest(missing, columns)) is not None:
        return f"did you mean {near!r}?"
    return f"its columns are {', '.join(columns[:_NAMED])}{', …' * (len(columns) > _NAMED)}"


def _order(value: str) -> tuple[bool, float, str]:
    """The key by which values are sorted: numbers first, by size."""
    try:
        number = float(value)
    except ValueError:
        return True, 0.0, value
    return (False, number, value) if number == number else (True, 0.0, value)  # NaN has no order

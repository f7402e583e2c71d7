"""Labels of documents, such as the stars of a review or the author of a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from charlm.config.json_config import JsonConfig
from charlm.config.names import names_checked
from charlm.errors import ConfigError

MAX_LABEL_VALUES = 1000
"""The most values of all labels of a model together."""

Labels = tuple[tuple[str, str], ...]
"""The labels of a document, each a name and a value. A label that the document doesn't have is left out."""


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class LabelColumn(JsonConfig):
    """A label that a model knows, and its values."""

    name: str
    values: tuple[str, ...]
    documents: tuple[int, ...]
    """How many documents of the text have each value."""

    def __post_init__(self) -> None:
        if not self.values or not all(len(text.splitlines()) == 1 for text in (self.name, *self.values)):
            raise ConfigError("a label needs a name and values, each a line that is not empty")
        if len(set(self.values)) < len(self.values):
            raise ConfigError(f"a value of label {self.name[:60]!r} is listed twice")
        if len(self.documents) != len(self.values) or min(self.documents) < 0:
            raise ConfigError(f"label {self.name[:60]!r} needs a number of documents, 0 or more, for each value")

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each value among the documents that have this label; uniform if there is none."""
        total = sum(self.documents)
        return tuple(count / total if total else 1 / len(self.values) for count in self.documents)


def check_labels(labels: Sequence[LabelColumn]) -> None:
    """Raise `ConfigError` for two labels of one name, or too many values."""
    if len({label.name for label in labels}) < len(labels):
        raise ConfigError("two labels have the same name; rename one of them")
    if (number := sum(len(label.values) for label in labels)) > MAX_LABEL_VALUES:
        raise ConfigError(f"the labels have {number:,} values; at most {MAX_LABEL_VALUES:,} are possible")

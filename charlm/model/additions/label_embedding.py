"""Labels: a learnt vector for each value, which is added to the embedding of every token of a document that has it.

The labels of a text are part of its state: for each value the factor of its vector, which no step changes. So every
batch may mix labels, a text may lie between two of them, and a text without labels adds nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from charlm.cells import State
from charlm.config import LabelColumn
from charlm.config.names import closest
from charlm.data.encoded.label_codes import Codes
from charlm.errors import ConfigError

LEFT_OUT = 0.25
"""Share of the rows in training without any label, so that the model also reads and writes without."""
_LARGEST_FACTOR = 100.0
_NAMED = 20  # values that a message names


class LabelEmbedding(nn.Module):
    """The vectors of N values of labels."""

    def __init__(self, number: int, size: int) -> None:
        """`number` is N, `size` is E."""
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(number, size))  # (N, E)

    def initialise(self) -> None:
        """Set the vectors to 0, so that training begins as without labels: random vectors would disturb a network that
        has learnt from another text. They have a learning rate of their own; see `charlm.training.optimizers`."""
        nn.init.zeros_(self.vectors)

    def initial_state(self, batch: int) -> State:
        """The state of B = `batch` texts without labels: factors 0, (B, N)."""
        return (self.vectors.new_zeros(batch, len(self.vectors)),)

    def state_of(self, codes: Codes, generator: torch.Generator | None = None) -> State:
        """The state of texts with labels, (B, N).

        Args:
            codes: the values of the C labels of each text, (B, C).
            generator: with it, some labels are left out at random: all of a text's, or each of several independently.
        """
        number, columns = codes.shape
        if generator is not None:
            shape = (number, 1 + columns * (columns > 1))
            draws = torch.rand(shape, generator=generator, device=generator.device).cpu().numpy()
            left_out = (draws[:, :1] < LEFT_OUT) | (draws[:, 1:] < LEFT_OUT if columns > 1 else False)
            codes = np.where(left_out, 0, codes).astype(codes.dtype)
        factors = np.zeros((number, len(self.vectors) + 1), np.float32)
        np.put_along_axis(factors, codes.astype(np.int64), 1, 1)
        return (torch.from_numpy(factors[:, 1:].copy()).to(self.vectors),)

    def forward(self, state: State) -> Tensor:
        """What the labels of B texts add to the embeddings of their tokens, (B, E)."""
        return state[0] @ self.vectors


def parse_labels(labels: Sequence[str], columns: Sequence[LabelColumn]) -> Tensor:
    """The factors of the vectors of all values, (N,), for labels such as "stars=5" or "author=Austen:0.5,Melville:0.5".

    Values without factors share 1 equally, as in "author=Austen,Melville".

    Args:
        labels: a text for each label; labels that are left out have factors 0.
        columns: the labels of the model.

    Raises `ConfigError` for a label or value that the model doesn't have, or a factor that is no number.
    """
    factors = {column.name: [0.0] * len(column.values) for column in columns}
    given = set[str]()
    for text in labels:
        column = _column_of(text, columns)
        if column.name in given:
            raise ConfigError(f"--label {column.name} is given twice; mix values as in {column.name}=A:0.5,B:0.5")
        given.add(column.name)
        for value, factor in _mixture(text[len(column.name) + 1 :], column):
            factors[column.name][column.values.index(value)] += factor
    return torch.tensor([factor for column in columns for factor in factors[column.name]])


def find_label(name: str | None, columns: Sequence[LabelColumn]) -> LabelColumn:
    """The label with a name, or the only one if `name` is None; raises `ConfigError` if there is none."""
    if not columns:
        raise ConfigError("the model has no labels; train one with --label-column, --label-files or --label-folders")
    if name is None and len(columns) == 1:
        return columns[0]
    for column in columns:
        if column.name == name:
            return column
    names = [column.name for column in columns]
    if name is None:
        raise ConfigError(f"the model has several labels; give one of {', '.join(names)}")
    near = closest(name, names)
    hint = f"did you mean {near}?" if near is not None else f"its labels are {', '.join(names)}"
    raise ConfigError(f"the model has no label {name[:60]!r}; {hint}")


def _column_of(text: str, columns: Sequence[LabelColumn]) -> LabelColumn:
    """The label that a text such as stars=5 begins with."""
    for column in columns:
        if text.startswith(column.name + "="):
            return column
    name, equals, _ = text.partition("=")
    column = find_label(name if equals or len(columns) > 1 else None, columns)
    raise ConfigError(f"--label is {text[:60]!r}; give NAME=VALUE, such as {column.name}={column.values[0]}")


def _mixture(text: str, column: LabelColumn) -> list[tuple[str, float]]:
    """The values in the text after the name of a label, with their factors."""
    if text in column.values:
        return [(text, 1.0)]
    parts = text.split(",")
    if all(part in column.values for part in parts):
        return [(part, 1 / len(parts)) for part in parts]
    mixture = []
    for part in parts:
        value, colon, number = part.rpartition(":")
        try:
            factor = float(number)
        except ValueError:
            value, colon, factor = part, "", 1.0
        if not colon or value not in column.values:
            raise ConfigError(_unknown(value if colon else part, column))
        if not abs(factor) <= _LARGEST_FACTOR:
            raise ConfigError(f"--label {column.name} has the factor {number}; give a number up to {_LARGEST_FACTOR:g}")
        mixture.append((value, factor))
    return mixture


def _unknown(value: str, column: LabelColumn) -> str:
    """The message for a value that a label doesn't have, or that stands in a mixture without a factor."""
    if value in column.values:
        return f"--label {column.name}: {value!r} has no factor; give one to each value, as in {value}:0.5"
    near = closest(value, column.values)
    known = ", ".join(column.values[:_NAMED]) + ", …" * (len(column.values) > _NAMED)
    hint = f"did you mean {near}?" if near is not None else f"its values are {known}"
    return f"the model doesn't know {column.name}={value[:60]}; {hint}"

"""One step's tokens, the position of a run in its windows, and the states that are carried from window to window."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates, State
from charlm.config import JsonConfig
from charlm.data.encoded.label_codes import Codes
from charlm.data.token_split import TokenSplit
from charlm.errors import RunError
from charlm.nouns import count_of

IGNORE = -100
"""The target of a padded position: torch's cross-entropy ignores it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor(JsonConfig):
    """A position in the endless sequence of training windows."""

    epoch: int = 0
    section: int = 0
    group: int = 0
    window: int = 0
    tokens: int = 0
    """Targets seen in this epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The tokens of one step."""

    ids: torch.Tensor
    """Input tokens, (T, B) int64."""
    targets: torch.Tensor
    """The tokens that follow, (T, B) int64; `IGNORE` at padded positions."""
    fresh: bool
    """Whether the rows start here, from the initial state; otherwise they continue from the state of the first B rows
    of the last window. The rows of a group start together, so one flag serves all."""
    tokens: int
    """Targets that count, also in rows that other processes read."""
    starts: NDArray[np.int64]
    """The position in the split at which each row begins, (B,)."""
    cursor: Cursor = Cursor()
    """Where the next window begins, in training."""
    past: "Past | None" = None
    """What stands before the rows in their documents."""
    labels: Codes | None = None
    """The labels of the documents of fresh rows, (B, C)."""

    @property
    def mask(self) -> torch.Tensor:
        """True where a target counts, (T, B) bool."""
        return self.targets != IGNORE

    def share(self, rows: slice) -> "Window":
        """The same window with some of its rows, possibly none; `tokens` still counts those of all."""
        past = None if self.past is None else self.past.share(rows)
        ids, targets = self.ids[:, rows].contiguous(), self.targets[:, rows].contiguous()
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, ids=ids, targets=targets, starts=self.starts[rows], past=past, labels=labels)


class Past:
    """The text before each row of a window in its document."""

    def __init__(self, split: TokenSplit, starts: NDArray[np.int64]) -> None:
        """`starts` are the positions in `split` at which the rows begin, (B,)."""
        self._split, self._starts = split, starts
        self.state: State | None = None
        """The state of a match after these texts, kept by `Match.state_before` for the next time."""

    def share(self, rows: slice) -> "Past":
        """The same for some of the rows."""
        return Past(self._split, self._starts[rows])

    def read(self, most: int) -> list[NDArray[Any]]:
        """The last tokens before each row, at most `most`."""
        documents = np.searchsorted(self._split.starts, self._starts, side="right") - 1
        firsts = np.maximum(np.asarray(self._split.starts)[documents], self._starts - most)
        return [
            self._split.read(first, start) for first, start in zip(firsts.tolist(), self._starts.tolist(), strict=True)
        ]


def carry(states: LayerStates | None, window: Window) -> LayerStates | None:
    """The states with which a window starts: those after the last window, of the rows that continue, detached.

    None is the initial state, with which fresh rows start. Raises `RunError` for states of fewer rows, which are not
    those of the last window.
    """
    if window.fresh or states is None:
        return None
    rows, saved = window.ids.shape[1], len(states[0][0])
    if saved < rows:
        raise RunError(
            f"the run was saved with {count_of(saved, 'sequence')} per step, but {rows} continue; start a new run"
        )
    return keep_rows(states, rows)


def keep_rows(states: LayerStates, rows: int) -> LayerStates:
    """The states of the first `rows` rows, detached from the gradient graph."""
    return tuple(tuple(part[:rows].detach() for part in state) for state in states)

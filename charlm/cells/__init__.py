"""One step of each recurrent cell, written as its equation: the truth that `charlm.kernels` must match."""

from charlm.cells.base import Cell, State, Weights
from charlm.cells.gru import GRU_RESET_AFTER
from charlm.cells.lstm import LSTM
from charlm.cells.rnn import RNN
from charlm.errors import ConfigError

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN, LSTM, GRU_RESET_AFTER)}

ALIASES = {"gru": "gru-reset-after"}
"""Short names. A model file holds the full one, which says exactly which equations were trained."""


def find_cell(name: str) -> Cell:
    """The cell of that name or alias; raises `ConfigError` where there is none."""
    name = ALIASES.get(name, name)
    if name not in CELLS:
        raise ConfigError(f"--cell is {name!r}; choose one of {', '.join([*CELLS, *ALIASES])}")
    return CELLS[name]


__all__ = ["ALIASES", "CELLS", "Cell", "State", "Weights", "find_cell"]

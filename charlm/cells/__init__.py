"""One step of each recurrent cell, written as its equation: the reference that `charlm.kernels` must match."""

from charlm.cells.base import Cell, LayerStates, State, Weights
from charlm.cells.gru import GRU, GRU_RESET_AFTER, MINGRU
from charlm.cells.lstm import LSTM, LSTM_1997, LSTM_F, LSTM_I, LSTM_O, MLSTM
from charlm.cells.mut import MUT1, MUT2, MUT3
from charlm.cells.rnn import IRNN, RNN, rnn_skip
from charlm.config import DEFAULT_SKIP_STEPS, check_choice

_ALL = (
    RNN,
    IRNN,
    rnn_skip(DEFAULT_SKIP_STEPS),
    LSTM_1997,
    LSTM,
    LSTM_F,
    LSTM_I,
    LSTM_O,
    GRU,
    GRU_RESET_AFTER,
    MUT1,
    MUT2,
    MUT3,
    MLSTM,
    MINGRU,
)

CELLS: dict[str, Cell] = {cell.name: cell for cell in _ALL}
"""All cells by name, families in historical order."""


def find_cell(name: str, *, skip_steps: int = DEFAULT_SKIP_STEPS) -> Cell:
    """The cell with a name; raises `ConfigError` for an unknown name.

    `skip_steps` is the s of `rnn-skip`; other cells ignore it.
    """
    check_choice("--cell", name, tuple(CELLS))
    return rnn_skip(skip_steps) if name == "rnn-skip" else CELLS[name]


__all__ = ["CELLS", "Cell", "LayerStates", "State", "Weights", "find_cell"]

"""The cells of `charlm.cells` through time, as fast as the machine allows; each must match its cell.

Everything is by the name of the cell. A cell that is missing here is computed step by step by its equation.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from charlm.kernels import compiled, gru, lstm, mut, rnn
from charlm.kernels.autograd import bfloat16_products, fused_layer, fused_states
from charlm.kernels.program import Program
from charlm.kernels.torch_layers import torch_gru, torch_lstm, torch_rnn

PROGRAMS: dict[str, Program] = {
    "rnn": rnn.RNN,
    "irnn": rnn.IRNN,
    "rnn-skip": rnn.RNN_SKIP,
    "lstm-1997": lstm.LSTM_1997,
    "lstm": lstm.LSTM,
    "lstm-f": lstm.LSTM_1997,
    "lstm-i": lstm.LSTM_I,
    "lstm-o": lstm.LSTM_O,
    "gru": gru.GRU,
    "gru-reset-after": gru.GRU_RESET_AFTER,
    "mut1": mut.MUT1,
    "mut2": mut.MUT2,
    "mut3": mut.MUT3,
    "mlstm": lstm.MLSTM,
    "mingru": gru.MINGRU,
}

State = tuple[Tensor, ...]
Kernel = Callable[[Tensor, State, Mapping[str, Tensor]], tuple[Tensor, State]]
"""kernel(x or projected, state, weights) -> (outputs (T, B, H), state after the last step)."""


def _mingru(projected: Tensor, state: State, weights: Mapping[str, Tensor]) -> tuple[Tensor, State]:
    """One compiled pass over the window if possible, else a parallel scan."""
    if projected.device.type == "cpu" and compiled.library(gru.MINGRU.functions, projected.dtype) is not None:
        return fused_layer(gru.MINGRU, projected, state, weights)
    return gru.scan_mingru(projected, state, weights)


KERNELS: dict[str, Kernel] = {name: partial(fused_layer, program) for name, program in PROGRAMS.items()} | {
    "mingru": _mingru
}
"""From the input projection V x + b, (T, B, G), which is overwritten."""

StateKernel = Callable[[Tensor, State, Mapping[str, Tensor]], tuple[dict[str, Tensor], State]]
"""kernel(projected, state, weights) -> (h and c after every step, (T, B, H) each; state after the last step)."""

STATE_KERNELS: dict[str, StateKernel] = {name: partial(fused_states, program) for name, program in PROGRAMS.items()}
"""As `KERNELS`, for looking inside; without gradients."""

LAYERS: dict[str, Kernel] = {"rnn": torch_rnn, "lstm": torch_lstm, "gru-reset-after": torch_gru}
"""Torch's own layers, from x (T, B, I)."""


def prefers_layer(cell: str, device: str) -> bool:
    """Whether torch's own layer of a cell in `LAYERS` is the better choice.

    Compiled kernels of charlm are faster in training, and for reading too except for the LSTM (docs/notes/benchmarks.md).
    Elsewhere torch's layers are: on a GPU they are one launch per window, not three per step. Never in bfloat16 on the
    CPU, where torch's layers round the states too, or fail.
    """
    if device != "cpu":
        return True
    return not bfloat16_products() and ((cell == "lstm" and not torch.is_grad_enabled()) or _library(cell) is None)


def has_bfloat16(cell: str) -> bool:
    """Whether this machine has instructions for products of bfloat16 numbers, and the cell a kernel that uses them."""
    library = _library(cell)
    return library is not None and library.has_bfloat16


def is_compiled() -> bool:
    """Whether Programs run as compiled code on this machine."""
    return _library("lstm") is not None


def has_amx() -> bool:
    """Whether these instructions are those of matrix registers."""
    library = _library("lstm")
    return library is not None and library.has_amx


def _library(cell: str) -> compiled.Library | None:
    program = PROGRAMS.get(cell)
    return None if program is None else compiled.library(program.functions, torch.float32)


__all__ = [
    "KERNELS",
    "LAYERS",
    "PROGRAMS",
    "STATE_KERNELS",
    "Kernel",
    "StateKernel",
    "has_amx",
    "has_bfloat16",
    "is_compiled",
    "prefers_layer",
]

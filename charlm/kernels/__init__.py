"""Fast kernels that run the cells of `charlm.cells` over whole windows. Every kernel must match its cell.

The tables below are keyed by cell name. A cell without an entry is computed step by step from its equation.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from charlm.kernels import compiled, gru, lstm, mut, rnn
from charlm.kernels.autograd import bfloat16_products, fused_layer, fused_states
from charlm.kernels.program import Program, State, Weights
from charlm.kernels.torch_layers import cudnn_layer, torch_gru, torch_lstm, torch_rnn

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

Kernel = Callable[[Tensor, State, Weights], tuple[Tensor, State]]
"""kernel(x or projected, state, weights) -> (outputs (T, B, H), state after the last step)."""


def _mingru(projected: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """A single compiled pass over the window if there is compiled code, else a parallel scan."""
    if projected.device.type == "cpu" and compiled.program_library(gru.MINGRU.functions, projected.dtype) is not None:
        return fused_layer(gru.MINGRU, projected, state, weights)
    return gru.scan_mingru(projected, state, weights)


KERNELS: dict[str, Kernel] = {name: partial(fused_layer, program) for name, program in PROGRAMS.items()} | {
    "mingru": _mingru
}
"""Kernels that take the input projection V x + b, (T, B, G), and overwrite it."""

StateKernel = Callable[[Tensor, State, Weights], tuple[dict[str, Tensor], State]]
"""kernel(projected, state, weights) -> (h and c after every step, (T, B, H) each; state after the last step)."""

STATE_KERNELS: dict[str, StateKernel] = {name: partial(fused_states, program) for name, program in PROGRAMS.items()}
"""Like `KERNELS`, but they return the states of every step and compute no gradients."""

_TORCH_LAYERS_ON_CPU: dict[str, Kernel] = {"rnn": torch_rnn, "lstm": torch_lstm, "gru-reset-after": torch_gru}


def _torch_layer(cell: str, x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """Torch's own layer for a cell; on CUDA that of cuDNN, inside `torch.autocast` with products in float16."""
    if x.device.type == "cpu":
        return _TORCH_LAYERS_ON_CPU[cell](x, state, weights)
    half = torch.is_autocast_enabled(x.device.type)
    return cudnn_layer(cell, x, state, weights, dtype=torch.float16 if half else weights["input"].dtype)


TORCH_LAYERS: dict[str, Kernel] = {name: partial(_torch_layer, name) for name in _TORCH_LAYERS_ON_CPU}
"""Torch's own layers, which take x (T, B, I)."""


def prefers_torch_layer(cell: str, device: str) -> bool:
    """Whether to use torch's own layer for a cell in `TORCH_LAYERS` instead of charlm's kernel.

    On the CPU charlm's kernels are faster if they are compiled, except for an LSTM without gradients
    (docs/notes/benchmarks.md). On a GPU torch's layers are faster: one launch per window instead of three per step. In
    bfloat16 on the CPU torch's layers are never used, because they round the states too, or fail.
    """
    if device != "cpu":
        return True
    return not bfloat16_products("cpu") and ((cell == "lstm" and not torch.is_grad_enabled()) or _library(cell) is None)


def has_bfloat16(cell: str) -> bool:
    """Whether this processor has bfloat16 instructions and the cell has a kernel that uses them."""
    library = _library(cell)
    return library is not None and library.has_bfloat16


def is_compiled() -> bool:
    """Whether Programs run as compiled code on this machine."""
    return _library("lstm") is not None


def has_amx() -> bool:
    """Whether the bfloat16 instructions are those of matrix registers (AMX)."""
    library = _library("lstm")
    return library is not None and library.has_amx


def _library(cell: str) -> compiled.Library | None:
    program = PROGRAMS.get(cell)
    return None if program is None else compiled.program_library(program.functions, torch.float32)


__all__ = [
    "KERNELS",
    "PROGRAMS",
    "STATE_KERNELS",
    "TORCH_LAYERS",
    "Kernel",
    "StateKernel",
    "has_amx",
    "has_bfloat16",
    "is_compiled",
    "prefers_torch_layer",
]

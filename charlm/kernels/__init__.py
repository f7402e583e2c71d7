"""The cells of `charlm.cells` through time, as fast as the machine allows; each must match its cell."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from charlm.kernels import compiled as native
from charlm.kernels import gru, lstm, mut, rnn
from charlm.kernels.autograd import bfloat16_products, fused_layer, fused_states
from charlm.kernels.program import Program
from charlm.kernels.scan import scan_mingru
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
"""By the name of the cell."""

Kernel = Callable[[Tensor, tuple[Tensor, ...], Mapping[str, Tensor]], tuple[Tensor, tuple[Tensor, ...]]]
"""kernel(x or projected, state, weights) -> (outputs (T, B, H), state after the last step)."""


def _mingru(
    projected: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One compiled pass over the window where there is one, else a parallel scan."""
    if projected.device.type == "cpu" and native.library(gru.MINGRU.functions, projected.dtype) is not None:
        return fused_layer(gru.MINGRU, projected, state, weights)
    return scan_mingru(projected, state, weights)


KERNELS: dict[str, Kernel] = {name: partial(fused_layer, program) for name, program in PROGRAMS.items()} | {
    "mingru": _mingru
}
"""By the name of the cell: from the input projection V x + b, (T, B, G), on. It is used up."""

Recorder = Callable[[Tensor, tuple[Tensor, ...], Mapping[str, Tensor]], tuple[dict[str, Tensor], tuple[Tensor, ...]]]
"""record(projected, state, weights) -> (h and c after every step, (T, B, H) each; state after the last step)."""

RECORDERS: dict[str, Recorder] = {name: partial(fused_states, program) for name, program in PROGRAMS.items()}
"""By the name of the cell: as `KERNELS`, for looking inside."""

LAYERS: dict[str, Kernel] = {"rnn": torch_rnn, "lstm": torch_lstm, "gru-reset-after": torch_gru}
"""By the name of the cell: torch's own, from x (T, B, I) on."""


def prefers_layer(cell: str, device: str) -> bool:
    """Whether torch's own layer for a cell is to be taken before charlm's kernel.

    Where charlm's is compiled, a whole step of training takes less by it, and so does reading by all cells but the LSTM
    (docs/benchmarks.md). Elsewhere torch's are taken: on a GPU they are one launch for a window, not three for a step.
    Never in bfloat16 on the CPU, where torch's round the states too, or fail.
    """
    if device != "cpu":
        return True
    return not bfloat16_products() and ((cell == "lstm" and not torch.is_grad_enabled()) or _compiled(cell) is None)


def has_bfloat16(cell: str) -> bool:
    """Whether this machine has instructions for products of bfloat16 numbers, and a kernel that uses them."""
    library = _compiled(cell)
    return library is not None and library.has_bfloat16


def _compiled(cell: str) -> native.Library | None:
    return native.library(PROGRAMS[cell].functions, torch.float32)


__all__ = ["KERNELS", "LAYERS", "RECORDERS", "Kernel", "Recorder", "has_bfloat16", "prefers_layer"]

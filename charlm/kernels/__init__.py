"""The cells of `charlm.cells` through time, as fast as the machine allows; each must match its cell."""

from collections.abc import Callable, Mapping

from torch import Tensor

from charlm.kernels.torch_layers import torch_gru, torch_lstm, torch_rnn

Kernel = Callable[[Tensor, tuple[Tensor, ...], Mapping[str, Tensor]], tuple[Tensor, tuple[Tensor, ...]]]
"""kernel(x (T, B, I), state, weights) -> (outputs (T, B, H), state after the last step)."""

KERNELS: dict[str, Kernel] = {"rnn": torch_rnn, "lstm": torch_lstm, "gru-reset-after": torch_gru}
"""By the name of the cell."""

__all__ = ["KERNELS", "Kernel"]

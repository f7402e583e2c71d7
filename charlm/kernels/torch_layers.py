"""The cells that torch has its own kernels for: oneDNN on the CPU, cuDNN on CUDA.

Each function takes x (T, B, I), the state before the first step, (B, H) each, and the cell's weights by the names in
`charlm.cells`. It returns the outputs (T, B, H) and the state after the last step.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def torch_rnn(x: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`charlm.cells.rnn.rnn_step` over a window."""
    (h,) = state
    bias = weights["bias"]
    outputs, h = torch.rnn_tanh(
        x,
        h.unsqueeze(0),
        [weights["input"], weights["recurrent"], bias, torch.zeros_like(bias)],
        True,
        1,
        0.0,
        torch.is_grad_enabled(),
        False,
        False,
    )
    return outputs, (h.squeeze(0),)


def torch_lstm(
    x: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`charlm.cells.lstm.lstm_step` over a window."""
    bias = weights["bias"]
    outputs, h, c = torch.lstm(
        x,
        [part.unsqueeze(0) for part in state],
        [weights["input"], weights["recurrent"], bias, torch.zeros_like(bias)],
        True,
        1,
        0.0,
        torch.is_grad_enabled(),
        False,
        False,
    )
    return outputs, (h.squeeze(0), c.squeeze(0))


def torch_gru(x: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """`charlm.cells.gru.gru_reset_after_step` over a window."""
    (h,) = state
    bias, candidate = weights["bias"], weights["candidate_bias"]
    outputs, h = torch.gru(
        x,
        h.unsqueeze(0),
        [
            weights["input"],
            weights["recurrent"],
            bias,
            torch.cat((torch.zeros_like(bias[len(candidate) :]), candidate)),
        ],
        True,
        1,
        0.0,
        torch.is_grad_enabled(),
        False,
        False,
    )
    return outputs, (h.squeeze(0),)

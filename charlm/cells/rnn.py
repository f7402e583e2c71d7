"""The simple recurrent network, also with another activation and with a path that skips steps."""

from dataclasses import replace

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def _preactivation(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """V x + W h' + b, (B, H)."""
    return x @ weights["input"].T + h @ weights["recurrent"].T + weights["bias"]


def rnn_step(x: Tensor, state: State, weights: Weights) -> State:
    """h = tanh(V x + W h' + b).

    Args:
        x: the input of the step, (B, I).
        state: (h',), (B, H).
        weights: V `input` (H, I), W `recurrent` (H, H), `bias` (H,).

    Returns:
        (h,), (B, H).

    Source: Elman 1990, "Finding structure in time", Cognitive Science 14.
    """
    (h,) = state
    return (torch.tanh(_preactivation(x, h, weights)),)


def irnn_step(x: Tensor, state: State, weights: Weights) -> State:
    """h = relu(V x + W h' + b), where W starts as the identity; shapes as in `rnn_step`.

    With W = I the cell sums all its inputs, which are thousands of tokens when the state is carried from window to
    window. So W starts as 0.9 I unless the user chooses the identity; the paper, too, scales it for tasks that don't
    need long memory (section 4.4).

    Source: Le, Jaitly and Hinton 2015 (arXiv 1504.00941), section 3.
    """
    (h,) = state
    return (torch.relu(_preactivation(x, h, weights)),)


def rnn_skip_step(x: Tensor, state: State, weights: Weights) -> State:
    """h_t = tanh(V x + W h_{t-1} + W_s h_{t-s} + b). Every gradient has a path s times as short.

    Args:
        x: the input of the step, (B, I).
        state: (h_{t-1}, h_{t-2}, ..., h_{t-s}), each (B, H).
        weights: the weights of `rnn_step`, and W_s `skip` (H, H).

    Returns:
        (h_t, h_{t-1}, ..., h_{t-s+1}).

    Source: the lecture's skip connection; Lin, Horne, Tino and Giles 1996, "Learning long-term dependencies in NARX
    recurrent neural networks", IEEE Transactions on Neural Networks 7, equation 9.
    """
    h = torch.tanh(_preactivation(x, state[0], weights) + state[-1] @ weights["skip"].T)
    return (h, *state[:-1])


RNN = Cell(
    name="rnn",
    gates=("h",),
    recurrent=("h",),
    biases=("h",),
    step=rnn_step,
    equations="h = tanh(V x + W h' + b)",
    reference="Elman 1990",
)

IRNN = replace(
    RNN,
    name="irnn",
    recurrent_init="leaky-identity",
    step=irnn_step,
    equations="h = relu(V x + W h' + b), W = I (or 0.9 I) at the start",
    reference="Le, Jaitly and Hinton 2015, arXiv 1504.00941",
)


def rnn_skip(steps: int) -> Cell:
    """The cell `rnn-skip` whose skip path reaches s = `steps` back, at least 2."""
    return replace(
        RNN,
        name="rnn-skip",
        states=("h", *(f"h{back}" for back in range(2, steps + 1))),
        extra_matrices=("skip",),
        step=rnn_skip_step,
        equations="h_t = tanh(V x + W h_{t-1} + W_s h_{t-s} + b)",
        reference="Lin et al. 1996; the lecture's skip connection",
    )

"""The stack of recurrent layers; here a cell's equation and its kernel meet."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from charlm.cells import Cell, State, find_cell
from charlm.config import ModelConfig

try:
    from charlm.kernels import KERNELS
except ModuleNotFoundError:  # without the kernels charlm is slow and right
    KERNELS = {}

LayerStates = tuple[State, ...]
"""The states of all layers, from the first up."""


def dropout(x: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Zero each element with the given probability and scale the rest by 1 / (1 - probability).

    Source: Srivastava et al. 2014, JMLR 15. Unlike torch's own it draws from the generator that it is given.
    """
    keep = 1 - probability
    return x * torch.empty_like(x).bernoulli_(keep, generator=generator).div_(keep)


def reference_layer(cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor]) -> tuple[Tensor, State]:
    """A cell through time, step by step: x (T, B, I) to outputs (T, B, H) and the state after the last step."""
    outputs = []
    for moment in x:
        state = cell.step(moment, state, weights)
        outputs.append(state[0])
    return torch.stack(outputs), state


class RecurrentLayer(nn.Module):
    """One recurrent layer: the weights of a cell, as `Cell.shapes` names them."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        for name, shape in cell.shapes(input_size, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (T, B, I) to outputs (T, B, H) and the state after the last step."""
        weights = dict(self.named_parameters())
        kernel = KERNELS.get(self.cell.name)
        return kernel(x, state, weights) if kernel else reference_layer(self.cell, x, state, weights)

    @torch.no_grad()
    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the weights gate by gate, as the configuration says; biases are 0, the forget gate's apart."""
        weights = dict(self.named_parameters())
        bound = self.hidden_size**-0.5
        for gate, name in enumerate(self.cell.gates):
            rows = slice(gate * self.hidden_size, (gate + 1) * self.hidden_size)
            recurrent, inputs, bias = weights["recurrent"][rows], weights["input"][rows], weights["bias"][rows]
            if config.recurrent_init == "orthogonal":
                nn.init.orthogonal_(recurrent, generator=generator)
            elif config.recurrent_init == "identity":
                nn.init.eye_(recurrent)
            elif config.recurrent_init == "xavier":
                nn.init.xavier_uniform_(recurrent, generator=generator)
            else:
                nn.init.uniform_(recurrent, -bound, bound, generator=generator)
            if config.input_init == "xavier":
                nn.init.xavier_uniform_(inputs, generator=generator)
            else:
                nn.init.uniform_(inputs, -bound, bound, generator=generator)
            bias.fill_(config.forget_bias if name == "f" else 0.0)
        for name in self.cell.extra_biases:
            weights[name].zero_()


class Recurrent(nn.Module):
    """L recurrent layers one upon the other, with dropout after each."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.cell = find_cell(config.cell)
        self.dropout = config.dropout
        self.hidden_size = config.hidden_size
        sizes = [config.embedding_size] + [config.hidden_size] * config.num_layers
        self.layers = nn.ModuleList(RecurrentLayer(self.cell, *pair) for pair in pairwise(sizes))

    def empty_past(self, batch: int, like: Tensor) -> LayerStates:
        """The state before the first token of a document: zeros, (B, H) for each state of each layer."""
        return tuple(tuple(like.new_zeros(batch, self.hidden_size) for _ in self.cell.states) for _ in self.layers)

    def forward(
        self, x: Tensor, states: LayerStates, generator: torch.Generator | None = None
    ) -> tuple[Tensor, LayerStates]:
        """x (T, B, E) to outputs of the last layer (T, B, H) and the states after the last step.

        Dropout acts in training mode only and draws from `generator`.
        """
        after = []
        for layer, state in zip(self.layers, states, strict=True):
            x, state = layer(x, state)
            after.append(state)
            if self.training and self.dropout > 0:
                x = dropout(x, self.dropout, generator)
        return x, tuple(after)

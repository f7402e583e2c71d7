"""A recurrent layer: it runs its cell over a window by a kernel if there is one, else by the cell's equation."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import Cell, State
from charlm.config import ModelConfig
from charlm.model.networks.base import dropout, embed

try:
    from charlm.kernels import KERNELS, STATE_KERNELS, TORCH_LAYERS, prefers_torch_layer
    from charlm.kernels import has_bfloat16 as has_bfloat16  # also for the stack of layers
except ModuleNotFoundError as error:  # charlm also works without its kernels, more slowly
    if not (error.name or "").startswith("charlm."):
        raise
    KERNELS, TORCH_LAYERS, STATE_KERNELS = {}, {}, {}

    def has_bfloat16(cell: str) -> bool:
        return False

    def prefers_torch_layer(cell: str, device: str) -> bool:
        return False


_LEAKY = 0.9
"""The share of a state that leaky-identity keeps in a step; half the state is left after 6.6 steps."""


def reference_layer(cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor]) -> tuple[Tensor, State]:
    """Run a cell over a window, step by step: x (T, B, I) to outputs (T, B, H) and the state after the last step."""
    outputs = []
    for x_t in x:
        state = cell.step(x_t, state, weights)
        outputs.append(state[0])
    return torch.stack(outputs), state


def reference_states(
    cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], State]:
    """Run a cell over a window, step by step, and record its states.

    Returns:
        h and, if the cell has one, c after every step of x (T, B, I), (T, B, H) each, by name; and the state after the
        last step.
    """
    recorded: dict[str, list[Tensor]] = {name: [] for name in ("h", "c") if name in cell.states}
    for x_t in x:
        state = cell.step(x_t, state, weights)
        for name, values in recorded.items():
            values.append(state[0 if name == "h" else -1])
    return {name: torch.stack(values) for name, values in recorded.items()}, state


class RecurrentLayer(nn.Module):
    """One recurrent layer: a cell and its weights, named as in `Cell.shapes`."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, weight_dropout: float = 0.0) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.weight_dropout = weight_dropout
        for name, shape in cell.shapes(input_size, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def forward(self, x: Tensor, state: State, generator: torch.Generator | None = None) -> tuple[Tensor, State]:
        """Run over a window: x (T, B, I) to outputs (T, B, H) and the state after the last step.

        In training mode `generator` is what weight dropout draws from.
        """
        weights = self._weights(generator)
        if self._prefers_torch(x):
            return TORCH_LAYERS[self.cell.name](x, state, weights)
        if kernel := KERNELS.get(self.cell.name):
            return kernel(self.project(x), state, weights)
        return reference_layer(self.cell, x, state, weights)

    def read_tokens(
        self,
        ids: Tensor,
        embedding: Tensor,
        state: State,
        generator: torch.Generator | None = None,
        extra: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """`forward` for the embeddings (V, E) of token ids (T, B), plus the extra vectors (T, B, E)."""
        kernel = KERNELS.get(self.cell.name)
        if kernel is None or extra is not None or self._prefers_torch(embedding):
            return self.forward(embed(ids, embedding, extra), state, generator)
        return kernel(self.project_tokens(ids, embedding), state, self._weights(generator))

    def _weights(self, generator: torch.Generator | None) -> dict[str, Tensor]:
        """The weights by name; in training mode with weight dropout on the recurrent ones."""
        weights: dict[str, Tensor] = dict(self.named_parameters())
        if self.training and self.weight_dropout > 0 and self.cell.recurrent:
            weights["recurrent"] = dropout(weights["recurrent"].unsqueeze(0), self.weight_dropout, generator)[0]
        return weights

    def record_states(self, x: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Like `reference_states`, by a kernel if there is one. Not for training: a kernel computes no gradients."""
        weights = dict(self.named_parameters())
        if record := STATE_KERNELS.get(self.cell.name):
            return record(self.project(x), state, weights)
        return reference_states(self.cell, x, state, weights)

    def record_token_states(
        self, ids: Tensor, embedding: Tensor, state: State, extra: Tensor | None = None
    ) -> tuple[dict[str, Tensor], State]:
        """`record_states` for the embeddings (V, E) of token ids (T, B), plus the extra vectors (T, B, E)."""
        record = STATE_KERNELS.get(self.cell.name)
        if record is not None and extra is None:
            return record(self.project_tokens(ids, embedding), state, dict(self.named_parameters()))
        return self.record_states(embed(ids, embedding, extra), state)

    def _prefers_torch(self, x: Tensor) -> bool:
        """Whether to use torch's own layer."""
        return self.cell.name in TORCH_LAYERS and prefers_torch_layer(self.cell.name, x.device.type)

    def project(self, x: Tensor) -> Tensor:
        """The input projection V x + b: x (..., I) to (..., G)."""
        weights = dict(self.named_parameters())
        unbiased = (len(self.cell.gates) - len(self.cell.biases)) * self.hidden_size
        return F.linear(x, weights["input"], F.pad(weights["bias"], (unbiased, 0))).to(weights["input"].dtype)

    def project_tokens(self, ids: Tensor, embedding: Tensor) -> Tensor:
        """`project` for the embeddings (V, E) of token ids (T, B): (T, B, G).

        If the window has at least twice as many tokens as the vocabulary, the projection of every token of the
        vocabulary is computed once, a table (V, G), and then looked up. The result is the same up to rounding.
        """
        if 2 * embedding.shape[0] <= ids.numel():
            with torch.autocast(embedding.device.type, enabled=False):
                return F.embedding(ids, self.project(embedding))
        return self.project(F.embedding(ids, embedding))

    @torch.no_grad()
    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the weights of each gate as configured. Biases are 0, except those of the gates named f, u and z."""
        weights = dict(self.named_parameters())
        bound = self.hidden_size**-0.5
        biases = {"f": config.forget_bias, "u": config.update_bias, "z": -config.update_bias}
        recurrent_init = self.cell.recurrent_init if config.recurrent_init == "auto" else config.recurrent_init
        names = ("recurrent", *self.cell.extra_matrices) if self.cell.recurrent else self.cell.extra_matrices
        for block in [block for name in names for block in torch.split(weights[name], self.hidden_size)]:
            if recurrent_init == "orthogonal":
                nn.init.orthogonal_(block, generator=generator)
            elif recurrent_init in ("identity", "leaky-identity"):
                nn.init.eye_(block).mul_(1.0 if recurrent_init == "identity" else _LEAKY)
            elif recurrent_init == "xavier":
                nn.init.xavier_uniform_(block, generator=generator)
            else:
                nn.init.uniform_(block, -bound, bound, generator=generator)
        for block in torch.split(weights["input"], self.hidden_size):
            if config.input_init == "xavier":
                nn.init.xavier_uniform_(block, generator=generator)
            else:
                nn.init.uniform_(block, -bound, bound, generator=generator)
        for name, block in zip(self.cell.biases, torch.split(weights["bias"], self.hidden_size), strict=True):
            block.fill_(biases.get(name, 0.0))
        for name in self.cell.extra_biases:
            weights[name].zero_()

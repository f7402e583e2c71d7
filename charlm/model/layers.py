"""The stack of recurrent layers; here a cell's equation and its kernel meet."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import Cell, LayerStates, State, find_cell
from charlm.config import ModelConfig

try:
    from charlm.kernels import KERNELS, LAYERS, STATE_KERNELS, has_bfloat16, prefers_layer
except ModuleNotFoundError:  # without the kernels charlm is slow and right
    KERNELS, LAYERS, STATE_KERNELS = {}, {}, {}

    def has_bfloat16(cell: str) -> bool:
        return False


_LEAKY = 0.9
"""What leaky-identity keeps of a state in a step: half of it after 6.6 steps."""


def dropout(x: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Zero each unit of a row, in all steps, with the given probability, and scale the rest by 1 / (1 - probability).

    Source: Gal and Ghahramani 2016 (arXiv 1512.05287): x (T, B, H) has one mask (B, H) for the whole window.
    """
    keep = 1 - probability
    return x * x.new_empty(x.shape[1:]).bernoulli_(keep, generator=generator).div_(keep)


def embed(ids: Tensor, embedding: Tensor, beside: Tensor | None = None) -> Tensor:
    """The embeddings (V, E) of token ids (T, B), and what stands beside them added, (T, B, E)."""
    x = F.embedding(ids, embedding)
    return x if beside is None else x + beside


def reference_layer(cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor]) -> tuple[Tensor, State]:
    """A cell through time, step by step: x (T, B, I) to outputs (T, B, H) and the state after the last step."""
    outputs = []
    for moment in x:
        state = cell.step(moment, state, weights)
        outputs.append(state[0])
    return torch.stack(outputs), state


def reference_states(
    cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], State]:
    """A cell through time, step by step: x (T, B, I) to what it holds after every step, h and, where there is one, c,
    (T, B, H) each by name, and the state after the last step."""
    found: dict[str, list[Tensor]] = {name: [] for name in ("h", "c") if name in cell.states}
    for moment in x:
        state = cell.step(moment, state, weights)
        for name, values in found.items():
            values.append(state[0 if name == "h" else -1])
    return {name: torch.stack(values) for name, values in found.items()}, state


class RecurrentLayer(nn.Module):
    """One recurrent layer: the weights of a cell, as `Cell.shapes` names them."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, weight_dropout: float = 0.0) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.weight_dropout = weight_dropout
        for name, shape in cell.shapes(input_size, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def forward(self, x: Tensor, state: State, generator: torch.Generator | None = None) -> tuple[Tensor, State]:
        """x (T, B, I) to outputs (T, B, H) and the state after the last step; `generator` is what dropout of weights
        draws from in training mode."""
        weights = self._weights(generator)
        if self._by_torch(x):
            return LAYERS[self.cell.name](x, state, weights)
        if kernel := KERNELS.get(self.cell.name):
            return kernel(self.project(x), state, weights)
        return reference_layer(self.cell, x, state, weights)

    def read_tokens(
        self,
        ids: Tensor,
        embedding: Tensor,
        state: State,
        generator: torch.Generator | None = None,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """`forward` of the embeddings (V, E) of token ids (T, B), with what stands beside them, (T, B, E)."""
        kernel = KERNELS.get(self.cell.name)
        if kernel is None or beside is not None or self._by_torch(embedding):
            return self.forward(embed(ids, embedding, beside), state, generator)
        return kernel(self.project_tokens(ids, embedding), state, self._weights(generator))

    def _weights(self, generator: torch.Generator | None) -> dict[str, Tensor]:
        """The weights by name, in training those from state to state with some dropped."""
        weights: dict[str, Tensor] = dict(self.named_parameters())
        if self.training and self.weight_dropout > 0 and self.cell.recurrent:
            weights["recurrent"] = dropout(weights["recurrent"].unsqueeze(0), self.weight_dropout, generator)[0]
        return weights

    def record_states(self, x: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """`reference_states`, by the kernel where there is one; not for training: there may be no gradient."""
        weights = dict(self.named_parameters())
        if record := STATE_KERNELS.get(self.cell.name):
            return record(self.project(x), state, weights)
        return reference_states(self.cell, x, state, weights)

    def record_token_states(
        self, ids: Tensor, embedding: Tensor, state: State, beside: Tensor | None = None
    ) -> tuple[dict[str, Tensor], State]:
        """`record_states` of the embeddings (V, E) of token ids (T, B), with what stands beside them, (T, B, E)."""
        record = STATE_KERNELS.get(self.cell.name)
        if record is not None and beside is None:
            return record(self.project_tokens(ids, embedding), state, dict(self.named_parameters()))
        return self.record_states(embed(ids, embedding, beside), state)

    def _by_torch(self, x: Tensor) -> bool:
        """Whether torch's own layer is there and the better."""
        return self.cell.name in LAYERS and prefers_layer(self.cell.name, x.device.type)

    def project(self, x: Tensor) -> Tensor:
        """V x + b, what the gates see of the input: x (..., I) to (..., G)."""
        weights = dict(self.named_parameters())
        unbiased = (len(self.cell.gates) - len(self.cell.biases)) * self.hidden_size
        return F.linear(x, weights["input"], F.pad(weights["bias"], (unbiased, 0))).to(weights["input"].dtype)

    def project_tokens(self, ids: Tensor, embedding: Tensor) -> Tensor:
        """`project` of the embeddings (V, E) of token ids (T, B), (T, B, G).

        Where there are more tokens than the vocabulary holds, V E + b is made once for each token, a table of V rows of
        width G, and the projection becomes a look-up in it. The same to the last few bits.
        """
        if 2 * embedding.shape[0] <= ids.numel():
            with torch.autocast(embedding.device.type, enabled=False):
                return F.embedding(ids, self.project(embedding))
        return self.project(F.embedding(ids, embedding))

    @torch.no_grad()
    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the weights gate by gate, as the configuration says; biases are 0, those of gates that keep apart."""
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


class Recurrent(nn.Module):
    """L recurrent layers one upon the other, with dropout after each.

    Bidirectional, each layer has a twin that reads from the right, and the outputs of both, side by side, are what the
    next layer reads (Schuster and Paliwal 1997): they tell of both sides, so that no text can be written with them.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.cell = find_cell(config.cell, skip_steps=config.skip_steps)
        self.dropout = config.dropout
        self.residual = config.skip == "residual"
        self.hidden_size = config.hidden_size
        self.output_size = config.hidden_size * (2 if config.bidirectional else 1)
        sizes = [config.embedding_size] + [self.output_size] * (config.num_layers - 1)
        shape = (config.hidden_size, config.weight_dropout)
        self.layers = nn.ModuleList(RecurrentLayer(self.cell, size, *shape) for size in sizes)
        self.twins = nn.ModuleList(RecurrentLayer(self.cell, size, *shape) for size in sizes if config.bidirectional)

    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the weights of all layers; see `RecurrentLayer.initialise`."""
        for layer in (*self.layers, *self.twins):
            layer.initialise(config, generator)

    @property
    def has_bfloat16_kernel(self) -> bool:
        """Whether the CPU has instructions for products of bfloat16 numbers, and the cell a kernel that uses them."""
        return has_bfloat16(self.cell.name)

    def initial_state(self, batch: int, like: Tensor) -> LayerStates:
        """The state before the first token of a document: zeros, (B, H) for each state of each layer."""
        return tuple(tuple(like.new_zeros(batch, self.hidden_size) for _ in self.cell.states) for _ in self.layers)

    def forward(
        self,
        ids: Tensor,
        embedding: Tensor,
        states: LayerStates,
        generator: torch.Generator | None = None,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """From left to right.

        Args:
            ids: (T, B) int64.
            embedding: (V, E).
            states: before the first step.
            generator: what dropout draws from in training mode; in evaluation mode nothing is dropped.
            beside: what to add to the embeddings of the tokens, (T, B, E).

        Returns:
            Outputs of the last layer, (T, B, H), and the states after the last step.
        """
        after = []
        x = embedding
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if index == 0:
                x, state = layer.read_tokens(ids, embedding, state, generator, beside)  # type: ignore[operator]
            else:
                y, state = layer(x, state, generator)
                x = x + y if self.residual else y
            after.append(state)
            x = self._drop(x, generator)
        return x, tuple(after)

    def record_states(
        self, ids: Tensor, embedding: Tensor, states: LayerStates, beside: Tensor | None = None
    ) -> tuple[tuple[dict[str, Tensor], ...], LayerStates]:
        """For looking inside: what each layer holds after every step, h and, where there is one, c, (T, B, H) each by
        name, and the states after the last step. Arguments as those of `forward`; there may be no gradient."""
        found, after = [], []
        x = embedding
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if index == 0:
                held, state = layer.record_token_states(ids, embedding, state, beside)  # type: ignore[operator]
            else:
                held, state = layer.record_states(x, state)  # type: ignore[operator]
            found.append(held)
            after.append(state)
            x = x + held["h"] if self.residual and index else held["h"]
        return tuple(found), tuple(after)

    def both_ways(
        self, x: Tensor, lengths: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """From both sides; needs `bidirectional`.

        Args:
            x: (T, B, E), rows padded at the end.
            lengths: (B,) int64, how many steps of each row count, at least 1.
            generator: as in `forward`.

        Returns:
            Outputs (T, B, 2H), those of padding undefined; and the last layer's output where each of its readers ends:
            left to right at the last step, right to left at the first, (B, H) each.
        """
        steps = torch.arange(len(x), device=x.device).unsqueeze(1)
        mirror = torch.where(steps < lengths, lengths - 1 - steps, steps).unsqueeze(2)  # (T, B, 1)
        last = (lengths - 1).view(1, -1, 1)
        for index, (layer, twin) in enumerate(zip(self.layers, self.twins, strict=True)):
            past = tuple(x.new_zeros(x.shape[1], self.hidden_size) for _ in self.cell.states)
            right, _ = layer(x, past, generator)
            left, _ = twin(x.gather(0, mirror.expand_as(x)), past, generator)
            ends = tuple(way.gather(0, last.expand(1, -1, self.hidden_size))[0] for way in (right, left))
            y = torch.cat((right, left.gather(0, mirror.expand_as(left))), dim=2)  # (T, B, 2H)
            x = self._drop(x + y if self.residual and index else y, generator)
        return x, ends[0], ends[1]

    def _drop(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return dropout(x, self.dropout, generator) if self.training and self.dropout > 0 else x

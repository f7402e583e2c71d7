"""A stack of recurrent layers, whose state is that of each layer's cell."""

import torch
from torch import Tensor, nn

from charlm.cells import LayerStates, find_cell
from charlm.config import ModelConfig
from charlm.model.layers import RecurrentLayer, has_bfloat16
from charlm.model.networks.base import Network, dropout


class Recurrent(Network):
    """A stack of L recurrent layers, with dropout after each."""

    directions = 1
    """In how many directions each layer reads; the next layer reads the outputs of all of them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.cell = find_cell(config.cell, skip_steps=config.skip_steps)
        self.dropout = config.dropout
        self.residual = config.skip == "residual"
        self.hidden_size = config.hidden_size
        self.layers = self.stack(config)

    def stack(self, config: ModelConfig) -> nn.ModuleList:
        """New layers that read in one direction."""
        sizes = [config.embedding_size] + [self.directions * self.hidden_size] * (config.num_layers - 1)
        shape = (self.hidden_size, config.weight_dropout)
        return nn.ModuleList(RecurrentLayer(self.cell, size, *shape) for size in sizes)

    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the weights of all layers; see `RecurrentLayer.initialise`."""
        for layer in self.layers:
            layer.initialise(config, generator)  # type: ignore[operator]

    @property
    def has_bfloat16_kernel(self) -> bool:
        """Whether the CPU has bfloat16 instructions and the cell has a kernel that uses them."""
        return has_bfloat16(self.cell.name)

    @property
    def input_weights(self) -> nn.Parameter:
        """See `Network.input_weights`."""
        return self.layers[0].get_parameter("input")

    def initial_state(self, batch: int, like: Tensor) -> LayerStates:
        """The state before the first token of a document: zeros, (B, H) for each state of each layer; B is `batch`."""
        return tuple(tuple(like.new_zeros(batch, self.hidden_size) for _ in self.cell.states) for _ in self.layers)

    def forward(
        self,
        ids: Tensor,
        embedding: Tensor,
        states: LayerStates,
        generator: torch.Generator | None = None,
        extra: Tensor | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """See `Network.forward`."""
        after = []
        x = embedding
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if index == 0:
                x, state = layer.read_tokens(ids, embedding, state, generator, extra)  # type: ignore[operator]
            else:
                y, state = layer(x, state, generator)
                x = x + y if self.residual else y
            after.append(state)
            x = dropout(x, self.dropout if self.training else 0.0, generator)
        return x, tuple(after)

    def record_states(
        self, ids: Tensor, embedding: Tensor, states: LayerStates, extra: Tensor | None = None
    ) -> tuple[tuple[dict[str, Tensor], ...], LayerStates]:
        """Run the layers over a window and record their states; without gradients; arguments as in `forward`.

        Returns:
            For each layer h and, if the cell has one, c after every step, (T, B, H) each, by name; and the states after
            the last step.
        """
        recorded, after = [], []
        x = embedding
        for index, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if index == 0:
                layer_record, state = layer.record_token_states(ids, embedding, state, extra)  # type: ignore[operator]
            else:
                layer_record, state = layer.record_states(x, state)  # type: ignore[operator]
            recorded.append(layer_record)
            after.append(state)
            x = x + layer_record["h"] if self.residual and index else layer_record["h"]
        return tuple(recorded), tuple(after)

"""A stack of gated causal convolutions, whose state is the past inputs that they still read.

Layer l reads k inputs, d_l = k^l steps apart (dilation), and adds a gated sum of them to the last one:

    a_t = W_0 x_t + W_1 x_{t-d} + ... + W_{k-1} x_{t-(k-1)d} + b        W_j (2H, H)
    y_t = x_t + a_t[:H] * sigm(a_t[H:])

Inputs before the document are 0. The last layer's outputs depend on the last k^L tokens.

Sources: van den Oord et al. 2016, "WaveNet" (arXiv 1609.03499), sections 2.1 to 2.4, for causal dilated convolutions;
Dauphin, Fan, Auli and Grangier 2017, "Language Modeling with Gated Convolutional Networks" (arXiv 1612.08083), equation
1, for the gate.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import LayerStates, State
from charlm.config import ModelConfig
from charlm.model.networks.base import Network, dropout, embed


class ConvolutionLayer(nn.Module):
    """One gated causal convolution with a residual connection."""

    def __init__(self, hidden_size: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.span = dilation, (kernel_size - 1) * dilation
        self.weight = nn.Parameter(torch.empty(2 * hidden_size, kernel_size * hidden_size))  # W_0 to W_{k-1}
        self.bias = nn.Parameter(torch.empty(2 * hidden_size))

    def taps(self) -> tuple[Tensor, ...]:
        """W_0, which reads the last input, to W_{k-1}, which reads the one (k - 1) d steps back; (2H, H) each."""
        return torch.split(self.weight, len(self.weight) // 2, dim=1)

    def forward(self, x: Tensor, state: State, drop: float, generator: torch.Generator | None) -> tuple[Tensor, State]:
        """Run over a window: x (T, B, H) to outputs (T, B, H) and the state, the last (k - 1) d inputs (B, (k-1)d, H).

        `drop` is the probability of dropping a unit of the gated sum.
        """
        steps = len(x)
        past = torch.cat((state[0].transpose(0, 1), x))  # ((k-1)d + T, B, H)
        total: Tensor = self.bias
        for back, weight in enumerate(self.taps()):
            first = self.span - back * self.dilation
            total = total + F.linear(past[first : first + steps], weight)  # (T, B, 2H)
        return x + dropout(F.glu(total), drop, generator), (past[steps:].transpose(0, 1).contiguous(),)


class Convolution(Network):
    """The stack of convolutions, after a projection of the embeddings to H."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dropout, self.hidden_size = config.dropout, config.hidden_size
        self.input = nn.Parameter(torch.empty(config.hidden_size, config.embedding_size))
        dilations = [config.kernel_size**layer for layer in range(config.num_layers)]
        self.layers = nn.ModuleList(
            ConvolutionLayer(config.hidden_size, config.kernel_size, dilation) for dilation in dilations
        )

    @property
    def convolutions(self) -> Iterator[ConvolutionLayer]:
        """The layers, lowest first."""
        return (layer for layer in self.layers if isinstance(layer, ConvolutionLayer))

    @property
    def spans(self) -> list[int]:
        """How many past inputs each layer reads, (k - 1) d."""
        return [layer.span for layer in self.convolutions]

    @property
    def input_weights(self) -> nn.Parameter:
        """See `Network.input_weights`."""
        return self.input

    @torch.no_grad()
    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw all weights uniformly (Glorot and Bengio 2010); biases are 0."""
        nn.init.xavier_uniform_(self.input, generator=generator)
        for layer in self.convolutions:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def initial_state(self, batch: int, like: Tensor) -> LayerStates:
        """See `Network.initial_state`: zeros, (B, (k - 1) d, H) for each layer."""
        return tuple((like.new_zeros(batch, span, self.hidden_size),) for span in self.spans)

    def forward(
        self,
        ids: Tensor,
        embedding: Tensor,
        states: LayerStates,
        generator: torch.Generator | None = None,
        extra: Tensor | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """See `Network.forward`."""
        x, after = F.linear(embed(ids, embedding, extra), self.input), []
        for layer, state in zip(self.convolutions, states, strict=True):
            x, state = layer(x, state, self.dropout if self.training else 0.0, generator)
            after.append(state)
        return x, tuple(after)

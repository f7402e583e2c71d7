"""A causal transformer, whose state is the keys and values of the last C tokens in each layer.

A layer attends from each token to itself and to the C tokens before it, then transforms each token by itself:

    x <- x + W_o attention(rms(x))        x <- x + W_2 gelu(W_1 rms(x))

The keys and values before the window are those of the state, so a text can be read in windows of any length. At the
beginning of a document there are none. Positions are relative (rotary), so nothing grows with the length of the text.

Sources: Vaswani et al. 2017, "Attention Is All You Need" (arXiv 1706.03762), equation 1; Su et al. 2021, "RoFormer"
(arXiv 2104.09864), equation 34, for the rotation; Zhang and Sennrich 2019 (arXiv 1910.07467), equation 4, for the norm;
Dai et al. 2019, "Transformer-XL" (arXiv 1901.02860), section 3.2, for the keys and values of the last window.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import LayerStates, State
from charlm.config import ModelConfig
from charlm.model.networks.base import Network, dropout, embed

_WIDENING = 4  # of a token's own transformation, relative to H
_FEWEST = 64  # tokens of a window that attend at a time
_MOST_PAIRS = 1 << 24  # of a token and one that it may attend to, at a time in all rows, to bound memory
_BASE = 10_000.0  # of the rotation's wavelengths


class TransformerLayer(nn.Module):
    """Attention and a token's own transformation, each with a norm before it and a residual connection."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads, self.span, self.dropout = config.heads, config.attention_span, config.dropout
        self.attention_norm = nn.Parameter(torch.empty(size))
        self.query_key_value = nn.Parameter(torch.empty(3 * size, size))
        self.attention_output = nn.Parameter(torch.empty(size, size))
        self.inner_norm = nn.Parameter(torch.empty(size))
        self.inner = nn.Parameter(torch.empty(_WIDENING * size, size))
        self.inner_output = nn.Parameter(torch.empty(size, _WIDENING * size))

    def forward(
        self, x: Tensor, state: State, rotation: tuple[Tensor, Tensor], generator: torch.Generator | None
    ) -> tuple[Tensor, State]:
        """Run over a window: x (T, B, H) to outputs (T, B, H) and the state after the last step.

        A state is keys and values (B, C, H), the last one at the end, and how many of them are those of the document,
        (B, 1) int64. `rotation` is that of C + T positions.
        """
        drop = self.dropout if self.training else 0.0
        attended, state = self._attend(rms_norm(x, self.attention_norm), state, rotation)
        x = x + dropout(F.linear(attended, self.attention_output), drop, generator)
        inner = F.gelu(F.linear(rms_norm(x, self.inner_norm), self.inner))
        return x + dropout(F.linear(inner, self.inner_output), drop, generator), state

    def _attend(self, x: Tensor, state: State, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, State]:
        """softmax(q k' / sqrt(H / heads)) v of all heads, side by side, (T, B, H), and the state after the window."""
        keys, values, length = state
        steps, rows, size = x.shape
        query, key, value = torch.split(F.linear(x, self.query_key_value).transpose(0, 1), size, dim=2)  # (B, T, H)
        keys = torch.cat((keys, key.to(keys.dtype)), dim=1)  # (B, C + T, H)
        values = torch.cat((values, value.to(values.dtype)), dim=1)
        cosine, sine = rotation
        attended = F.scaled_dot_product_attention(
            rotate(self._by_head(query), cosine[-steps:], sine[-steps:]),
            rotate(self._by_head(keys), cosine, sine),
            self._by_head(values),
            attn_mask=attention_mask(steps, self.span, length),
        )  # (B, heads, T, H / heads)
        attended = attended.permute(2, 0, 1, 3).reshape(steps, rows, size)
        after = (keys[:, steps:], values[:, steps:], (length + steps).clamp(max=self.span))
        return attended, after

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, T, H) as (B, heads, T, H / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Transformer(Network):
    """The stack of layers, after a projection of the embeddings to H and before a last norm."""

    reads_zeros = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.span, self.heads, self.hidden_size = config.attention_span, config.heads, config.hidden_size
        self.input = nn.Parameter(torch.empty(config.hidden_size, config.embedding_size))
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.num_layers))
        self.norm = nn.Parameter(torch.empty(config.hidden_size))

    @property
    def input_weights(self) -> nn.Parameter:
        """See `Network.input_weights`."""
        return self.input

    @torch.no_grad()
    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the matrices uniformly (Glorot and Bengio 2010), those before a sum divided by sqrt(2L) (Radford et al.
        2019, section 2.3); the norms begin at 1."""
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter, generator=generator)
            else:
                nn.init.ones_(parameter)
        for layer in self.layers:
            for name in ("attention_output", "inner_output"):
                layer.get_parameter(name).mul_((2 * len(self.layers)) ** -0.5)

    def initial_state(self, batch: int, like: Tensor) -> LayerStates:
        """See `Network.initial_state`: no keys and values, that is, C of them that are masked."""
        shape = (batch, self.span, self.hidden_size)
        length = torch.zeros(batch, 1, dtype=torch.int64, device=like.device)
        return tuple((like.new_zeros(shape), like.new_zeros(shape), length) for _ in self.layers)

    def forward(
        self,
        ids: Tensor,
        embedding: Tensor,
        states: LayerStates,
        generator: torch.Generator | None = None,
        extra: Tensor | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """See `Network.forward`."""
        inputs = F.linear(embed(ids, embedding, extra), self.input).to(embedding.dtype)  # also if products are bfloat16
        outputs = []
        half = self.hidden_size // self.heads // 2
        for x in torch.split(inputs, self._attending_at_a_time(ids.shape[1])):
            cosine, sine = rotations(self.span + len(x), half)
            rotation = (cosine.to(embedding), sine.to(embedding))
            after = []
            for layer, state in zip(self.layers, states, strict=True):
                x, state = layer(x, state, rotation, generator)
                after.append(state)
            states = tuple(after)
            outputs.append(rms_norm(x, self.norm))
        return torch.cat(outputs), states

    def _attending_at_a_time(self, rows: int) -> int:
        """How many tokens of a window of B = `rows` attend at a time: C, or fewer if that would take much memory."""
        most = _MOST_PAIRS // (2 * self.span * max(1, rows))
        return max(_FEWEST, min(self.span, most))


def rms_norm(x: Tensor, gain: Tensor) -> Tensor:
    """x (..., H) divided by the root of its mean square, times a gain (H,)."""
    return F.rms_norm(x, gain.shape, gain)


def attention_mask(steps: int, span: int, length: Tensor) -> Tensor:
    """Whether step t of a window may attend to each of the C = `span` tokens before the window and its T = `steps`
    tokens, (B, 1, T, C + T) bool: to the last C and itself, and only to those of the document, of which `length` (B, 1)
    are before the window."""
    place = torch.arange(span + steps, device=length.device)
    back = span + torch.arange(steps, device=length.device).unsqueeze(1) - place  # (T, C + T)
    mask: Tensor = (back >= 0) & (back <= span) & (place >= span - length)[:, None, None]
    return mask


@lru_cache(maxsize=16)
def rotations(positions: int, half: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angle of each position and each of `half` pairs of units, (positions, half) float64."""
    with torch.inference_mode(False):  # kept for training too
        frequencies = _BASE ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)
        return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn each pair of units (j, j + half) of x (..., T, 2 half) by the angle of its position, (T, half)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)

"""The transformer of a compiled sampling step: norms, attention and products, and the keys and values it remembers."""

import ctypes

import torch
from torch import Tensor

from charlm.cells import State
from charlm.kernels.buffers import Buffer
from charlm.kernels.program import gelu_of
from charlm.model.networks.transformer import Transformer, rotate, rotations
from charlm.native.library import native_library
from charlm.native.structures import Attention, History, Norm
from charlm.sampling.steppers.layout import StepLayout, StepWeights


class TransformerLayout(StepLayout):
    """The layout of a transformer. What a layer remembers is its keys, its values, and how many there were before each
    step; each text has its own part of the memory, so that its keys are adjacent.

    Keys are kept as `native/sources/attention.c` turns them; those of a state aren't turned yet.
    """

    def __init__(self, weights: StepWeights, rows: int) -> None:
        network, code = weights.model.network, native_library()
        assert isinstance(network, Transformer) and code is not None
        self._network, self._code = network, code
        cosine, sine = rotations(2 * network.span, network.hidden_size // network.heads // 2)
        self._cosine, self._sine = cosine.float(), sine.float()  # (2C, H / heads / 2)
        super().__init__(weights, rows, period=network.span)

    def load(self, layer: int, row: int, state: State) -> None:
        """See `StepLayout.load`; raises `ValueError` for a state that isn't one of this network."""
        span, heads, time = self._network.span, self._network.heads, self.block.time
        shapes = [tuple(part.shape) for part in state]
        if shapes != [(1, span, self._hidden_size)] * 2 + [(1, 1)] or not 0 <= int(state[2]) <= span:
            raise ValueError("a state of keys and values does not belong to this transformer")
        keys, values, lengths = self.histories[layer]
        assert keys is not None and values is not None and lengths is not None
        step = torch.arange(time, time + span) % span  # which wrote a key of this index
        by_head = state[0][0].view(span, heads, -1).transpose(0, 1)  # (heads, C, H / heads)
        turned = rotate(by_head, self._cosine[step], self._sine[step])
        keys[time : time + span, row] = turned.transpose(0, 1).flatten(1)
        values[time : time + span, row] = state[1][0]
        lengths[time, row] = state[2][0, 0]

    def _add_layers(self) -> Buffer:
        """See `StepLayout._add_layers`."""
        x, normed = self._zeros(self._hidden_size), self._zeros(self._hidden_size)
        self._add_product("input", self._network.input, self._inputs, x, add=False)
        for index in range(len(self._network.layers)):
            self._add_layer(index, x, normed)
        self._add_norm(x, self._network.norm, normed)
        return Buffer(normed)

    def _add_layer(self, index: int, x: Tensor, normed: Tensor) -> None:
        """Add a layer that changes x (B, H); `normed` is memory of the same size."""
        name, size = f"layer {index}", self._hidden_size
        weights = dict(self._network.layers[index].named_parameters())
        parts, attended = self._zeros(3 * size), self._zeros(size)  # query, key and value; what attention gives
        inner = self._zeros(len(weights["inner"]))
        self._add_norm(x, weights["attention_norm"], normed)
        self._add_product(f"{name} query, key, value", weights["query_key_value"], normed, parts, add=False)
        self._add_attention(parts, attended)
        self._add_product(f"{name} attention", weights["attention_output"], attended, x, add=True)
        self._add_norm(x, weights["inner_norm"], normed)
        self._add_product(f"{name} inner", weights["inner"], normed, inner, add=False)
        for block in torch.split(inner, size, dim=1):  # a stage is as wide as a layer
            self._loop.stage(gelu_of, {"inner": Buffer(block)})
        self._add_product(f"{name} output", weights["inner_output"], inner, x, add=True)

    def _add_product(self, name: str, matrix: Tensor, source: Tensor, target: Tensor, *, add: bool) -> None:
        self._loop.product(Buffer(source), self._packing.pack(name, matrix.detach()), Buffer(target), add=add)

    def _add_norm(self, x: Tensor, gain: Tensor, normed: Tensor) -> None:
        """Add the norm of the rows of x (B, H) with a gain (H,)."""
        addresses = [self._address(tensor) for tensor in (x, gain.detach(), normed)]
        self._add_row_stage("norm_rows", Norm(*addresses, self._hidden_size))

    def _add_attention(self, parts: Tensor, attended: Tensor) -> None:
        """Add attention from query, key and value (B, 3H) to (B, H), with memory for a layer's keys and values."""
        span, heads, size = self._network.span, self._network.heads, self._hidden_size
        keys, values = torch.zeros(2, self.rows, 2 * span, size)
        lengths = torch.zeros(self.rows, span + 1, dtype=torch.int32)
        self.histories.append((keys.transpose(0, 1), values.transpose(0, 1), lengths.T))
        turned, scores = torch.zeros(2, size), torch.zeros(heads, span + 1)
        memory = (parts, keys, values, lengths, self._cosine, self._sine, turned, scores, attended)
        half = self._cosine.shape[1]
        self._add_row_stage("attend", Attention(heads, half, span, *(self._address(tensor) for tensor in memory)))

    def _add_row_stage(self, name: str, arguments: ctypes.Structure) -> None:
        """Add a function of `native/sources/attention.c`."""
        address = ctypes.cast(getattr(self._code, name), ctypes.c_void_p).value
        assert address is not None
        self._loop.row_stage(address, arguments)

    def _history_blocks(self) -> list[History]:
        """See `StepLayout._history_blocks`: three for each text and layer."""
        span, size = self._network.span, self._hidden_size
        kept = ((span, size), (span, size), (1, 1))
        return [
            History(part[:, row].data_ptr(), lookback, width)
            for layer in self.histories
            for part, (lookback, width) in zip(layer, kept, strict=True)
            if part is not None
            for row in range(self.rows)
        ]

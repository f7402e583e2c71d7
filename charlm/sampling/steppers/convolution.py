"""The convolutions of a compiled sampling step: products with past inputs, and the inputs they remember."""

import torch

from charlm.cells import State
from charlm.kernels.buffers import Buffer
from charlm.kernels.forward import add_convolution
from charlm.model.networks.convolution import Convolution
from charlm.native.structures import History
from charlm.sampling.steppers.layout import StepLayout, StepWeights


class ConvolutionLayout(StepLayout):
    """The layout of a model with convolutions. What a layer remembers is its inputs."""

    def __init__(self, weights: StepWeights, rows: int) -> None:
        assert isinstance(weights.model.network, Convolution)
        self._network = weights.model.network
        super().__init__(weights, rows, period=max(self._network.spans))

    def load(self, layer: int, row: int, state: State) -> None:
        """See `StepLayout.load`."""
        (inputs,) = self.histories[layer]
        assert inputs is not None
        time = self.block.time
        inputs[time : time + self._network.spans[layer], row] = state[0][0]

    def _add_layers(self) -> Buffer:
        """See `StepLayout._add_layers`."""
        spans, size = self._network.spans, self._hidden_size
        memories = [torch.zeros(span + self.block.period, self.rows, size) for span in spans]
        self.histories += [(memory,) for memory in memories]
        inputs = [Buffer(memory, span) for memory, span in zip(memories, spans, strict=True)]
        outputs = [*inputs[1:], Buffer(self._zeros(size))]
        matrix = self._packing.pack("input", self._network.input.detach())
        self._loop.product(Buffer(self._inputs), matrix, inputs[0], add=False)
        for index, layer in enumerate(self._network.convolutions):
            total = self._zeros(2 * size)
            self._add_row_bias(layer.bias.detach(), total)
            taps = [self._packing.pack(f"layer {index} tap {k}", tap.detach()) for k, tap in enumerate(layer.taps())]
            add_convolution(self._loop, taps, memories[index], total, outputs[index], dilation=layer.dilation)
        return outputs[-1]

    def _history_blocks(self) -> list[History]:
        """See `StepLayout._history_blocks`."""
        size = self.rows * self._hidden_size
        return [
            History(memory.data_ptr(), span, size)
            for (memory,), span in zip(self.histories, self._network.spans, strict=True)
            if memory is not None
        ]

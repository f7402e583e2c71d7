"""The recurrent layers of a compiled sampling step: the operations of their Program, and the states they remember."""

from typing import NamedTuple

import torch
from torch import Tensor

from charlm.cells import State
from charlm.kernels import PROGRAMS, compiled
from charlm.kernels.buffers import Buffer
from charlm.kernels.forward import add_forward, forward_buffers, lookback_of
from charlm.kernels.program import residual_sum
from charlm.model.language_model import LanguageModel
from charlm.native.structures import History
from charlm.sampling.steppers.layout import StepLayout, StepWeights

LARGEST_TABLE = 1 << 26
"""Elements of the largest table of input projections; see `RecurrentWeights.table`."""


class RecurrentWeights(StepWeights):
    """The weights of a model with recurrent layers."""

    def __init__(self, model: LanguageModel, code: compiled.Library, *, portable: bool) -> None:
        super().__init__(model, code, portable=portable)
        self.program = PROGRAMS[model.config.cell]
        self.lookback = lookback_of(self.program, model.recurrent.cell.states)
        """How many past h a step reads."""
        self.layers: list[dict[str, Tensor]] = [
            {name: weight.detach() for name, weight in layer.named_parameters()} for layer in model.recurrent.layers
        ]
        self.table = self._input_table()
        """The input projection of each token in the first layer, (V, G). With it, a step of this layer is a row of the
        table plus the recurrent products. None if the layer also reads context vectors or the table is too large."""

    def gate_bias(self, layer: int) -> Tensor:
        """The bias of all gates of a layer, (G,), with zeros for the gates that have none."""
        bias = self.layers[layer]["bias"]
        return torch.cat((bias.new_zeros(len(self.layers[layer]["input"]) - len(bias)), bias))

    def _input_table(self) -> Tensor | None:
        weight = self.layers[0]["input"]
        if self.model.contexts is not None or len(self.embedding) * len(weight) > LARGEST_TABLE:
            return None
        if self.portable:
            return self.code.linear(self.embedding, weight, self.gate_bias(0))
        return torch.addmm(self.gate_bias(0), self.embedding, weight.T)

    def added_by_labels(self, state: State) -> Tensor:
        """A row of `StepLayout.added`: what the labels add to the gates of the table, (G,), or else as in
        `StepWeights.added_by_labels`."""
        vector = super().added_by_labels(state)
        return vector if self.table is None else self.layers[0]["input"] @ vector


class LayerHistory(NamedTuple):
    """The states of a layer before the first step of the block's period, then those of each step (`History` in C)."""

    hidden: Tensor
    """h, (2 lookback, B, H)."""
    cells: Tensor | None
    """c, (lookback + 1, B, H); None if the cell has no c."""


class RecurrentLayout(StepLayout):
    """The layout of a model with recurrent layers."""

    def __init__(self, weights: RecurrentWeights, rows: int) -> None:
        self._weights = weights
        super().__init__(weights, rows, period=weights.lookback)

    def load(self, layer: int, row: int, state: State) -> None:
        """See `StepLayout.load`."""
        time, lookback = self.block.time, self._weights.lookback
        hidden, cells = self.histories[layer]
        assert hidden is not None
        for back in range(lookback):
            hidden[time + lookback - 1 - back, row] = state[back][0]
        if cells is not None:
            cells[time, row] = state[-1][0]

    def state(self, layer: int, part: int) -> Tensor:
        """See `StepLayout.state`."""
        hidden, cells = self.histories[layer]
        assert hidden is not None
        at = (
            hidden[self.block.time + self._weights.lookback - 1]
            if part == 0 or cells is None
            else cells[self.block.time]
        )
        return at[: self.block.rows]

    def _add_layers(self) -> Buffer:
        """See `StepLayout._add_layers`."""
        weights, block = self._weights, self.block
        gates, source = self._add_layer(0, Buffer(self._inputs) if weights.table is None else None)
        block.table = None if weights.table is None else self._address(weights.table)
        block.gates, block.gates_width = self._address(gates), gates.shape[1]
        for layer in range(1, len(weights.layers)):
            _, output = self._add_layer(layer, source)
            source = self._add_residual(source, output) if self._model.config.skip == "residual" else output
        return source

    def _add_layer(self, layer: int, source: Buffer | None) -> tuple[Tensor, Buffer]:
        """Add the operations of a layer; without `source`, `step.c` fills its gates from the table.

        Returns the memory of the gates, (B, G), and the outputs.
        """
        program, lookback, weights = self._weights.program, self._weights.lookback, self._weights.layers[layer]
        gates = self._zeros(len(weights["input"]))
        if source is not None:
            self._add_row_bias(self._weights.gate_bias(layer), gates)
            matrix = self._weights.pack(f"layer {layer} input", weights["input"])
            self._loop.product(source, matrix, Buffer(gates), add=True)
        hidden = torch.zeros(2 * lookback, self.rows, self._hidden_size)
        cells = torch.zeros(lookback + 1, self.rows, self._hidden_size) if "c" in program.states else None
        self.histories.append(LayerHistory(hidden, cells))
        saved = [self._zeros(self._hidden_size) for _ in program.saved]
        buffers = forward_buffers(program, gates, hidden, cells, saved, weights, lookback=lookback)

        def pack(name: str, matrix: Tensor) -> compiled.PackedMatrix:
            return self._weights.pack(f"layer {layer} {name}", matrix)

        add_forward(self._loop, program, buffers, weights, pack=pack)
        return gates, Buffer(hidden, lookback)

    def _add_residual(self, layer_input: Buffer, layer_output: Buffer) -> Buffer:
        """Add the sum of a layer's input and output; returns it."""
        next_input = Buffer(self._zeros(self._hidden_size))
        buffers = {"layer_input": layer_input, "layer_output": layer_output, "next_input": next_input}
        self._loop.stage(residual_sum, buffers)
        return next_input

    def _history_blocks(self) -> list[History]:
        """See `StepLayout._history_blocks`."""
        size, blocks = self.rows * self._hidden_size, []
        for hidden, cells in self.histories:
            assert hidden is not None
            blocks.append(History(hidden.data_ptr(), self._weights.lookback, size))
            if cells is not None:
                blocks.append(History(cells.data_ptr(), 1, size))
        return blocks

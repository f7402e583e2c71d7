"""What a compiled sampling step works on: packed weights, memory for a batch, and the argument block for
`native/sources/step.c`.

The block contains a list of operations, the products and stages of all layers and of the output layer, which the step
runs with the loop of `loop.h`. It also points to the embedding and to the n-gram prior, which `step.c` computes itself.
"""

import ctypes
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import State
from charlm.kernels import PROGRAMS, compiled
from charlm.kernels.buffers import Buffer
from charlm.kernels.forward import add_forward, forward_buffers, lookback_of
from charlm.kernels.program import residual_sum
from charlm.model.language_model import LanguageModel
from charlm.model.match import SCALE
from charlm.native.structures import Estimates, History, Orders, RowBias, Step
from charlm.ngram.match import match_shape, no_matches
from charlm.ngram.model import FREQUENT_LENGTHS

LARGEST_TABLE = 1 << 26
"""Elements of the largest table of input projections; see `StepWeights.table`."""


class StepWeights:
    """The weights of a model in the form that a step reads. They are shared by the layouts of all batch sizes."""

    def __init__(self, model: LanguageModel, code: compiled.Library, *, portable: bool) -> None:
        self.model, self.code, self.portable = model, code, portable
        self.program = PROGRAMS[model.config.cell]
        self.lookback = lookback_of(self.program, model.recurrent.cell.states)
        """How many past h a step reads."""
        self.embedding = model.embedding.detach().contiguous()  # (V, E)
        self.layers: list[dict[str, Tensor]] = [
            {name: weight.detach() for name, weight in layer.named_parameters()} for layer in model.recurrent.layers
        ]
        self.table = self._input_table()
        """The input projection of each token in the first layer, (V, G). With it, a step of this layer is a row of the
        table plus the recurrent products. None if the layer also reads context vectors or the table is too large."""
        self._packed: dict[str, compiled.PackedMatrix] = {}

    def pack(self, name: str, matrix: Tensor) -> compiled.PackedMatrix:
        """A matrix packed for products; `name` identifies it, so that it is packed only once."""
        if name not in self._packed:
            self._packed[name] = self.code.pack(matrix, self.model.config.hidden_size)
        return self._packed[name]

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
        """A row of `StepLayout.added`, (G,) or (E,), for the label state of one text."""
        assert self.model.labels is not None
        vector = state[0][0] @ self.model.labels.vectors.detach()
        return vector if self.table is None else self.layers[0]["input"] @ vector

    def context_vectors(self) -> Tensor:
        """What each row of the n-gram embedding adds to an embedding, (R + 1, E)."""
        contexts = self.model.contexts
        assert contexts is not None
        if self.portable and contexts.spread is not None:
            return self.code.linear(contexts.vectors.detach(), contexts.spread.detach())
        return contexts.table().detach().contiguous()


class LayerHistory(NamedTuple):
    """The states of a layer before the first step of the block's period, then those of each step (`History` in C)."""

    hidden: Tensor
    """h, (2 lookback, B, H)."""
    cells: Tensor | None
    """c, (lookback + 1, B, H); None if the cell has no c."""


class StepLayout:
    """Memory for up to B = `rows` texts, and the argument block of a step over it."""

    def __init__(self, weights: StepWeights, rows: int) -> None:
        self._weights, self._model = weights, weights.model
        self._hidden_size = self._model.config.hidden_size
        self._references: list[Any] = []  # memory that the block points to
        self._row_biases: list[RowBias] = []
        self._loop = compiled.CompiledLoop(weights.code, rows, self._hidden_size)
        self.rows = rows
        self.histories: list[LayerHistory] = []
        self.block = Step(
            run=ctypes.cast(weights.code.run, ctypes.c_void_p),
            rows=rows,
            hidden_size=self._hidden_size,
            threads=torch.get_num_threads(),
            period=weights.lookback,
        )
        """The argument block. It is valid as long as this object."""
        top = self._add_layers()
        self.added = self._add_labels()
        """What the labels of each text add to the gates of the first layer, (B, G), or to what it reads, (B, E), if
        there is no table; None if the model has no labels."""
        self.logits: NDArray[np.float32] = self._add_output(top).numpy()
        """The logits that a step writes, (B, V)."""
        self.prior_states = self._add_prior()
        """The states of the n-gram prior, (B, n - 1); None if there is no prior."""
        match = self._model.match
        self.match_states = None if match is None else no_matches(rows)
        """The states of the match, (B, S); None if there is no match."""
        self._match_gate = None if match is None else (SCALE * match.gate.detach()).contiguous()
        self._point_to("operations", self._loop.operations())
        self._point_to("row_biases", (RowBias * len(self._row_biases))(*self._row_biases))
        self._point_to("histories", self._history_blocks())

    def _add_layers(self) -> Buffer:
        """Add the embedding and all recurrent layers; returns the outputs of the last."""
        weights, block = self._weights, self.block
        inputs = self._zeros(weights.embedding.shape[1])
        gates, source = self._add_layer(0, Buffer(inputs) if weights.table is None else None)
        block.table = None if weights.table is None else self._address(weights.table)
        block.gates, block.gates_width = self._address(gates), gates.shape[1]
        block.embedding, block.embedding_size = self._address(weights.embedding), inputs.shape[1]
        block.inputs = self._address(inputs)
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

    def _add_labels(self) -> Tensor | None:
        """Add the labels, if the model has any; returns the memory of what they add."""
        if self._model.labels is None:
            return None
        block, weights = self.block, self._weights
        added = self._zeros(block.embedding_size if weights.table is None else block.gates_width)
        block.added = self._address(added)
        return added

    def _add_output(self, top: Buffer) -> Tensor:
        """Add the output layer, which reads `top`; returns the memory of the logits, (B, V)."""
        model = self._model
        weight = self._weights.embedding if model.output is None else model.output.detach()
        logits = self._zeros(len(weight))
        self._add_row_bias(model.output_bias.detach(), logits)
        self._loop.product(top, self._weights.pack("output", weight), Buffer(logits), add=True)
        self.block.logits = self._address(logits)
        self.block.top, self.block.top_time, self.block.top_row = top.address()
        return logits

    def _add_prior(self) -> NDArray[np.int32] | None:
        """Add the n-gram prior and the n-gram embedding, if there are any; returns the memory of the prior's states."""
        block, prior, contexts = self.block, self._model.prior, self._model.contexts
        if prior is None:
            return None
        assert prior.ngram is not None
        trie, tables = prior.ngram.trie, prior.ngram.estimates
        orders = np.array(prior.orders, dtype=np.int64)
        states = np.full((self.rows, trie.order - 1), -1, np.int32)
        probabilities = np.zeros((self.rows, trie.vocab_size), np.float32)
        block.trie, block.estimates = trie.block(), Estimates(*(table.ctypes.data for table in tables))
        block.orders = Orders(orders.ctypes.data, len(orders))
        block.states, block.probabilities = states.ctypes.data, probabilities.ctypes.data
        block.prior_weight = self._address(prior.weight.detach().contiguous())
        block.prior_bias = self._address(prior.bias.detach().contiguous())
        self._references.append((trie, tables, orders, probabilities))
        if contexts is not None:
            block.ngram_vectors = self._address(self._weights.context_vectors())
            block.vector_of, block.last_node = contexts.rows.ctypes.data, len(contexts.rows) - 1
            block.longest_ngram = min(FREQUENT_LENGTHS[-1], self._model.config.ngram_order - 1)
            self._references.append(contexts.rows)
        return states

    def match_arguments(self, tokens: int, rows: int) -> tuple[Any, ...] | None:
        """The arguments of `match_step`, with the address of the tokens; None if there is no match."""
        match, states, gate = self._model.match, self.match_states, self._match_gate
        if match is None or states is None or gate is None:
            return None
        shape = match_shape(match.lengths)
        self._references.append(shape)
        memory = (ctypes.addressof(shape), states.ctypes.data, states.shape[1])
        return (*memory, tokens, rows, self.logits.ctypes.data, self.logits.shape[1], gate.data_ptr())

    def _add_row_bias(self, bias: Tensor, rows: Tensor) -> None:
        """Set every row to a bias at the beginning of a step."""
        self._row_biases.append(RowBias(self._address(bias.contiguous()), self._address(rows), rows.shape[1]))

    def _history_blocks(self) -> "ctypes.Array[History]":
        """The buffers of states whose ends `step.c` moves to the front after each period."""
        size, blocks = self.rows * self._hidden_size, []
        for hidden, cells in self.histories:
            blocks.append(History(hidden.data_ptr(), self._weights.lookback, size))
            if cells is not None:
                blocks.append(History(cells.data_ptr(), 1, size))
        return (History * len(blocks))(*blocks)

    def _point_to(self, name: str, array: "ctypes.Array[Any]") -> None:
        """Set a pointer of the block to an array, and the field `num_` of the same name to its length."""
        setattr(self.block, name, ctypes.addressof(array))
        setattr(self.block, f"num_{name}", len(array))
        self._references.append(array)

    def _zeros(self, width: int) -> Tensor:
        """New memory, (B, width)."""
        tensor = torch.zeros(self.rows, width)
        self._references.append(tensor)
        return tensor

    def _address(self, tensor: Tensor) -> int:
        """The address of a contiguous tensor, which is kept as long as the block."""
        self._references.append(tensor)
        return tensor.data_ptr()

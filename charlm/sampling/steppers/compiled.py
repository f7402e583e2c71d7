"""A step of a batch in one call of compiled code: all layers as the operations of their Program, and the n-gram prior.

The embedding times the input weights of the first layer, plus its bias, is a table of V rows of width G, so that a step
of the first layer is a row of the table plus its recurrent products. Weights and memory are laid out once for a batch.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import LayerStates
from charlm.kernels import PROGRAMS, compiled
from charlm.kernels.buffers import Buffer
from charlm.kernels.forward import add_forward, forward_buffers
from charlm.kernels.program import residual_sum
from charlm.model.language_model import LanguageModel
from charlm.native.library import library
from charlm.native.structures import Estimates, History, Orders, RowBias, Step
from charlm.ngram.model import FREQUENT_LENGTHS
from charlm.sampling.steering import Hold

LARGEST_TABLE = 1 << 26
"""Numbers. With a larger vocabulary the embedding of each token is multiplied when it comes."""
_LONGEST_PRIOR = 32
_MOST_GATES = 8

Weights = dict[str, Tensor]


class CompiledStepper:
    """See `charlm.sampling.steppers.Stepper`; equal to the model up to rounding."""

    def __init__(self, model: LanguageModel, states: Sequence[LayerStates]) -> None:
        """Lay out the weights and memory, and begin with the states of B texts, (1, H) each; needs `supports`."""
        self._model = model
        self._program = PROGRAMS[model.config.cell]
        code = compiled.library(self._program.functions, torch.float32)
        assert code is not None
        self._code = code
        self._depth = len(model.recurrent.cell.states) - ("c" in self._program.states)
        self._matrices: dict[str, compiled.PackedMatrix] = {}  # by name
        self._lay_out(len(states))
        for row, state in enumerate(states):
            self.load(row, state)

    @staticmethod
    def supports(model: LanguageModel) -> bool:
        """Whether a model can be stepped so: its cell has a Program, there is a C compiler, its weights are in single
        precision on the CPU, and it has no weights that are unknown here."""
        cell, prior = model.recurrent.cell, model.prior
        program = PROGRAMS.get(cell.name)
        if program is None or type(model).forward is not LanguageModel.forward:
            return False
        weights = dict(model.named_parameters())
        others = {"embedding", "output", "output_bias", "prior.weight", "prior.bias"}
        others |= {"contexts.vectors", "contexts.spread"}
        layers = range(model.config.num_layers)
        own = {f"recurrent.layers.{index}.{name}" for index in layers for name in cell.shapes(1, 1)}
        return (
            own == set(weights) - others
            and all(weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in weights.values())
            and (prior is None or (prior.order <= _LONGEST_PRIOR and len(prior.orders) <= _MOST_GATES))
            and compiled.library(program.functions, torch.float32) is not None
            and library() is not None
        )

    def step(self, tokens: Sequence[int]) -> NDArray[np.floating]:
        """See `Stepper.step`."""
        self._tokens[: len(tokens)] = tokens
        self._run(*self._arguments)
        return self._logits[: len(tokens)]

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        time = self._block.time
        for (hidden, cells), state in zip(self._histories, states, strict=False):
            for back in range(self._depth):
                hidden[time + self._depth - 1 - back, row] = state[back][0]
            if cells is not None:
                cells[time, row] = state[-1][0]
        if self._prior_states is not None:
            self._prior_states[row] = states[-1][0][0].numpy()

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        kept, time = [*rows], self._block.time
        histories, prior_states = self._histories, self._prior_states
        if len(kept) > len(self._tokens):
            self._lay_out(len(kept))
            self._block.time = time
        for old, new in zip(histories, self._histories, strict=True):
            for before, after in zip(old, new, strict=True):
                if before is not None and after is not None:
                    after[:, : len(kept)] = before[:, kept]
        if prior_states is not None and self._prior_states is not None:
            self._prior_states[: len(kept)] = prior_states[kept]
        self._block.rows = len(kept)

    def change(self, layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
        """See `Stepper.change`."""
        hidden, cells = self._histories[layer]
        state = hidden[self._block.time + self._depth - 1]
        if part != 0:
            assert cells is not None
            state = cells[self._block.time]
        return hold(state[: self._block.rows].numpy())

    def _lay_out(self, rows: int) -> None:
        """Make the memory and the argument block of a step for up to `rows` texts."""
        model, size = self._model, self._model.config.hidden_size
        self._kept: list[Any] = []  # what the argument block points to
        self._histories: list[tuple[Tensor, Tensor | None]] = []
        self._row_biases: list[RowBias] = []
        self._tokens = np.zeros(rows, np.int64)
        loop = compiled.CompiledLoop(self._code, rows, size)
        embedding = model.embedding.detach().contiguous()
        inputs = self._keep(torch.zeros(rows, embedding.shape[1]))
        layers: list[Weights] = [
            {name: weight.detach() for name, weight in layer.named_parameters()} for layer in model.recurrent.layers
        ]
        table = self._table(embedding, layers[0])
        source = Buffer(inputs)
        gates = self._add_layer(loop, "layer 0", layers[0], None if table is not None else source)
        source = self._output_of(0)
        for index, weights in enumerate(layers[1:], start=1):
            self._add_layer(loop, f"layer {index}", weights, source)
            source = self._add_residual(loop, source, index)
        output = embedding if model.output is None else model.output.detach()
        logits = self._keep(torch.zeros(rows, len(output)))
        loop.product(source, self._pack("output", output), Buffer(logits), add=True)
        self._start(model.output_bias.detach(), logits)
        self._logits = logits.numpy()
        top, top_time, top_row = source.address()
        self._block = Step(
            run=ctypes.cast(self._code.run, ctypes.c_void_p),
            rows=rows,
            hidden=size,
            threads=torch.get_num_threads(),
            period=self._depth,
            table=None if table is None else self._keep(table).data_ptr(),
            gates=gates.data_ptr(),
            gates_width=gates.shape[1],
            embedding=self._keep(embedding).data_ptr(),
            inputs=inputs.data_ptr(),
            embedding_size=inputs.shape[1],
            logits=logits.data_ptr(),
            top=top,
            top_time=top_time,
            top_row=top_row,
        )
        self._point_to("operations", loop.operations())
        self._point_to("row_biases", (RowBias * len(self._row_biases))(*self._row_biases))
        self._point_to("histories", self._history_blocks(rows * size))
        self._kept.append((loop, source))
        self._prior_states = self._add_prior(rows) if model.prior is not None else None
        code = library()
        assert code is not None
        self._run, self._arguments = code.sampler_step, (ctypes.addressof(self._block), self._tokens.ctypes.data)

    def _table(self, embedding: Tensor, weights: Weights) -> Tensor | None:
        """The input projection of each token, (V, G); None if it is too large or the first layer reads more."""
        small = len(embedding) * len(weights["input"]) <= LARGEST_TABLE
        if self._model.contexts is not None or not small:
            return None
        return torch.addmm(self._bias(weights), embedding, weights["input"].T)

    def _add_layer(self, loop: compiled.CompiledLoop, name: str, weights: Weights, source: Buffer | None) -> Tensor:
        """Add the operations of a layer; without `source` its gates are filled from the table. Returns the gates, (B, G)."""
        program, depth, rows = self._program, self._depth, len(self._tokens)
        size = self._model.config.hidden_size
        gates = self._keep(torch.zeros(rows, len(weights["input"])))
        hidden = torch.zeros(2 * depth, rows, size)
        cells = torch.zeros(depth + 1, rows, size) if "c" in program.states else None
        saved = [self._keep(torch.zeros(rows, size)) for _ in program.saved]
        self._histories.append((hidden, cells))
        if source is not None:
            self._start(self._bias(weights), gates)
            loop.product(source, self._pack(f"{name} input", weights["input"]), Buffer(gates), add=True)
        buffers = forward_buffers(program, gates, hidden, cells, saved, weights, depth=depth)
        add_forward(loop, program, buffers, weights, pack=lambda part, matrix: self._pack(f"{name} {part}", matrix))
        return gates

    def _output_of(self, layer: int) -> Buffer:
        """What a layer gives to the next."""
        return Buffer(self._histories[layer][0], self._depth)

    def _add_residual(self, loop: compiled.CompiledLoop, source: Buffer, layer: int) -> Buffer:
        """What the layer above one reads: its output, plus its input if there are residual connections."""
        output = self._output_of(layer)
        if self._model.config.skip != "residual":
            return output
        above = Buffer(self._keep(torch.zeros(len(self._tokens), self._model.config.hidden_size)))
        loop.stage(residual_sum, {"layer_input": source, "layer_output": output, "next_input": above})
        return above

    def _add_prior(self, rows: int) -> NDArray[np.int32]:
        """Put the n-gram prior and the n-gram embedding into the argument block; the states of the prior, (B, n - 1)."""
        block, model = self._block, self._model
        prior, contexts = model.prior, model.contexts
        assert prior is not None and prior.ngram is not None
        trie, *tables = prior.ngram.tables()
        orders = np.array(prior.orders, dtype=np.int64)
        states = np.full((rows, trie.order - 1), -1, np.int32)
        chance = np.zeros((rows, trie.vocab_size), np.float32)
        block.trie, block.estimates = trie.block(), Estimates(*(table.ctypes.data for table in tables))
        block.orders = Orders(orders.ctypes.data, len(orders))
        block.states, block.probabilities = states.ctypes.data, chance.ctypes.data
        block.gate_weight = self._keep(prior.weight.detach().contiguous()).data_ptr()
        block.gate_bias = self._keep(prior.bias.detach().contiguous()).data_ptr()
        self._kept.append((trie, tables, orders, chance))
        if contexts is not None:
            block.ngram_vectors = self._keep(contexts.table().detach().contiguous()).data_ptr()
            block.vector_of, block.last_node = contexts.rows.ctypes.data, len(contexts.rows) - 1
            block.longest_ngram = min(FREQUENT_LENGTHS[-1], model.config.ngram_order - 1)
            self._kept.append(contexts.rows)
        return states

    def _history_blocks(self, numbers: int) -> "ctypes.Array[History]":
        """What has to be kept of a step for the next."""
        blocks = []
        for hidden, cells in self._histories:
            blocks.append(History(hidden.data_ptr(), self._depth, numbers))
            if cells is not None:
                blocks.append(History(cells.data_ptr(), 1, numbers))
        return (History * len(blocks))(*blocks)

    def _bias(self, weights: Weights) -> Tensor:
        """The bias of all gates, (G,): 0 for those without one."""
        bias = weights["bias"]
        return torch.cat((bias.new_zeros(len(weights["input"]) - len(bias)), bias))

    def _start(self, bias: Tensor, rows: Tensor) -> None:
        """Let every row begin with a bias."""
        self._row_biases.append(
            RowBias(self._keep(bias.contiguous()).data_ptr(), self._keep(rows).data_ptr(), rows.shape[1])
        )

    def _pack(self, name: str, matrix: Tensor) -> compiled.PackedMatrix:
        """A matrix as products read it, laid out once."""
        if name not in self._matrices:
            self._matrices[name] = self._code.pack(matrix, self._model.config.hidden_size)
        return self._matrices[name]

    def _point_to(self, name: str, block: "ctypes.Array[Any]") -> None:
        """Let the argument block point to an array and know its length."""
        setattr(self._block, name, ctypes.addressof(block))
        setattr(self._block, f"num_{name}", len(block))
        self._kept.append(block)

    def _keep(self, tensor: Tensor) -> Tensor:
        """The tensor, which lives as long as the argument block."""
        self._kept.append(tensor)
        return tensor

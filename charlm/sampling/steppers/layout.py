"""What a compiled sampling step works on: packed weights, memory for a batch, and the argument block for
`native/sources/step.c`.

The block contains a list of operations, the products and stages of all layers and of the output layer, which the step
runs with the loop of `loop.h`. It also points to the embedding, the n-gram prior, the match and the n-grams of labels,
which `step.c` computes itself.
The layers are those of a subclass in `charlm.sampling.steppers`: `recurrent`, `convolution` or `transformer`.
"""

import ctypes
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import State
from charlm.errors import ConfigError
from charlm.kernels import compiled
from charlm.kernels.buffers import Buffer
from charlm.model.additions.match import SCALE
from charlm.model.language_model import LanguageModel
from charlm.native.structures import History, Orders, RowBias, Step
from charlm.ngram.match import match_shape, no_matches
from charlm.ngram.model import FREQUENT_LENGTHS
from charlm.sampling.steppers.label_ngrams import LabelNgramRows


class StepWeights:
    """The weights of a model in the form that a step reads. They are shared by the layouts of all batch sizes."""

    def __init__(self, model: LanguageModel, code: compiled.Library, *, portable: bool) -> None:
        self.model, self.code, self.portable = model, code, portable
        self.embedding = model.embedding.detach().contiguous()  # (V, E)
        self._packed: dict[str, compiled.PackedMatrix] = {}

    def pack(self, name: str, matrix: Tensor) -> compiled.PackedMatrix:
        """A matrix packed for products; `name` identifies it, so that it is packed only once."""
        if name not in self._packed:
            self._packed[name] = self.code.pack(matrix, self.model.config.hidden_size)
        return self._packed[name]

    def added_by_labels(self, state: State) -> Tensor:
        """A row of `StepLayout.added` for the label state of one text: what the labels add to an embedding, (E,)."""
        assert self.model.labels is not None
        return state[0][0] @ self.model.labels.vectors.detach()

    def context_vectors(self) -> Tensor:
        """What each row of the n-gram embedding adds to an embedding, (R + 1, E)."""
        contexts = self.model.contexts
        assert contexts is not None
        if self.portable and contexts.spread is not None:
            return self.code.linear(contexts.vectors.detach(), contexts.spread.detach())
        return contexts.table().detach().contiguous()


class StepLayout(ABC):
    """Memory for up to B = `rows` texts, and the argument block of a step over it."""

    def __init__(self, weights: StepWeights, rows: int, *, period: int) -> None:
        """`period` is the number of steps after which what later steps read is moved to the front (`step.c`)."""
        self._model = weights.model
        self._hidden_size = self._model.config.hidden_size
        self._references: list[Any] = []  # memory that the block points to
        self._row_biases: list[RowBias] = []
        self._packing = weights
        self._loop = compiled.CompiledLoop(weights.code, rows, self._hidden_size)
        self.rows = rows
        self.histories: list[tuple[Tensor | None, ...]] = []
        """What each layer remembers, (time, B, ...) each: the past that it reads before the first step of the period,
        then one entry for each step."""
        self.block = Step(
            run=ctypes.cast(weights.code.run, ctypes.c_void_p),
            rows=rows,
            hidden_size=self._hidden_size,
            threads=torch.get_num_threads(),
            period=period,
        )
        """The argument block. It is valid as long as this object."""
        self._inputs = self._zeros(weights.embedding.shape[1])
        self.block.embedding, self.block.embedding_size = self._address(weights.embedding), self._inputs.shape[1]
        self.block.inputs = self._address(self._inputs)
        top = self._add_layers()
        self.added = self._add_labels()
        """What the labels of each text add to the gates of the first layer, (B, G), or to what it reads, (B, E), if
        there is no table; None if the model has no labels."""
        self.logits: NDArray[np.float32] = self._add_output(top).numpy()
        """The logits that a step writes, (B, V)."""
        self.prior_states = self._add_prior()
        """The states of the n-gram prior, (B, n - 1); None if there is no prior."""
        self.match_states = self._add_match()
        """The states of the match, (B, S); None if there is no match."""
        self._label_ngrams = self._add_label_ngrams()
        blocks = self._history_blocks()
        self._point_to("operations", self._loop.operations())
        self._point_to("row_biases", (RowBias * len(self._row_biases))(*self._row_biases))
        self._point_to("histories", (History * len(blocks))(*blocks))

    @abstractmethod
    def load(self, layer: int, row: int, state: State) -> None:
        """Set what a layer remembers in a row to a state of one text, (1, ...) each."""

    def load_labels(self, row: int, state: State) -> None:
        """Set what the labels add in a row to that of the label state of one text, (1, ...) each."""
        assert self.added is not None
        self.added[row] = self._packing.added_by_labels(state)
        if self._label_ngrams is not None:
            self._label_ngrams.load(row, state)

    def addition_rows(self) -> list[NDArray[Any]]:
        """What the additions keep for each text, (B, ...) each, in the memory of the step."""
        ngrams = self._label_ngrams
        parts = (
            None if self.added is None else self.added.numpy(),
            self.prior_states,
            self.match_states,
            None if ngrams is None else ngrams.shares,
            None if ngrams is None else ngrams.states,
        )
        return [part for part in parts if part is not None]

    def state(self, layer: int, part: int) -> Tensor:
        """The h (part 0) or c (part -1) of a recurrent layer after the last step, (B, H), in the memory of the step.

        Raises `ConfigError` for a network without recurrent layers.
        """
        raise ConfigError(f"a {self._model.config.network} has no recurrent state to change")

    @abstractmethod
    def _add_layers(self) -> Buffer:
        """Add all layers, the first of which reads `_inputs` or a table; returns the outputs of the last."""

    @abstractmethod
    def _history_blocks(self) -> list[History]:
        """The buffers whose ends `step.c` moves to the front after each period."""

    def _add_labels(self) -> Tensor | None:
        """Add the labels, if the model has any; returns the memory of what they add."""
        if self._model.labels is None:
            return None
        block = self.block
        added = self._zeros(block.gates_width if block.table else block.embedding_size)
        block.added = self._address(added)
        return added

    def _add_output(self, top: Buffer) -> Tensor:
        """Add the output layer, which reads `top`; returns the memory of the logits, (B, V)."""
        model = self._model
        weight = self._packing.embedding if model.output is None else model.output.detach()
        logits = self._zeros(len(weight))
        self._add_row_bias(model.output_bias.detach(), logits)
        self._loop.product(top, self._packing.pack("output", weight), Buffer(logits), add=True)
        self.block.logits = self._address(logits)
        self.block.top, self.block.top_time, self.block.top_row = top.address()
        return logits

    def _add_prior(self) -> NDArray[np.int32] | None:
        """Add the n-gram prior and the n-gram embedding, if there are any; returns the memory of the prior's states."""
        block, prior, contexts = self.block, self._model.prior, self._model.contexts
        if prior is None:
            return None
        assert prior.ngram is not None
        trie = prior.ngram.trie
        orders = np.array(prior.orders, dtype=np.int64)
        states = np.full((self.rows, trie.order - 1), -1, np.int32)
        probabilities = np.zeros((self.rows, trie.vocab_size), np.float32)
        block.prior, block.orders = prior.ngram.block(), Orders(orders.ctypes.data, len(orders))
        block.states, block.probabilities = states.ctypes.data, probabilities.ctypes.data
        block.prior_weight = self._address(prior.weight.detach().contiguous())
        block.prior_bias = self._address(prior.bias.detach().contiguous())
        self._references.append((prior.ngram, orders, probabilities))
        if contexts is not None:
            block.ngram_vectors = self._address(self._packing.context_vectors())
            block.vector_of, block.last_node = contexts.rows.ctypes.data, len(contexts.rows) - 1
            block.longest_ngram = min(FREQUENT_LENGTHS[-1], self._model.config.ngram_order - 1)
            self._references.append(contexts.rows)
        return states

    def _add_match(self) -> NDArray[np.int32] | None:
        """Add the match, if there is one; returns the memory of its states."""
        block, match = self.block, self._model.match
        if match is None:
            return None
        shape, states = match_shape(match.lengths), no_matches(match.lengths, self.rows)
        block.match, block.match_states, block.match_size = ctypes.addressof(shape), states.ctypes.data, states.shape[1]
        block.vocab = self.logits.shape[1]
        block.match_gate = self._address((SCALE * match.gate.detach()).contiguous())
        if match.weight is not None:
            block.match_weight = self._address(match.weight.detach().contiguous())
        self._references.append(shape)
        return states

    def _add_label_ngrams(self) -> LabelNgramRows | None:
        """Add the n-grams of labels, if the model adds any; returns what they keep for each text."""
        ngrams = self._model.additions.label_ngrams
        if ngrams is None or self.prior_states is None:
            return None
        rows = LabelNgramRows(ngrams, self.rows)
        self._point_to("label_ngrams", rows.models)
        self.block.label_shares, self.block.label_states = rows.shares.ctypes.data, rows.states.ctypes.data
        return rows

    def _add_row_bias(self, bias: Tensor, rows: Tensor) -> None:
        """Set every row to a bias at the beginning of a step."""
        self._row_biases.append(RowBias(self._address(bias.contiguous()), self._address(rows), rows.shape[1]))

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

"""The compiled path of sampling one text: a step is one call (`stepper.c`), with the n-gram prior in it.

It needs a C compiler, as the kernels do; without one `charlm.sampling.fused` steps the text.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import FREQUENT_LENGTHS
from charlm.sampling import fused
from charlm.sampling.compiled import CELLS, compiled
from charlm.sampling.fused import FusedStepper
from charlm.sampling.steering import Hold

Array = NDArray[Any]

_PANEL = 64


class NativeStepper:
    """See `charlm.sampling.steppers.Stepper`; for one text. Equal to the model up to rounding."""

    def __init__(self, model: LanguageModel, states: LayerStates) -> None:
        """Lay out the weights, and begin with the states of a text, (1, H) each.

        `supports` says whether that can be.
        """
        self._kept: list[Array] = []  # what the plan points to
        config = model.config
        layers = list(model.recurrent.layers)
        hidden, gates = config.hidden_size, layers[0].get_parameter("input").shape[0]
        embedding = _numbers(model.embedding)
        table = model.contexts is None and len(embedding) * gates <= fused.LARGEST_TABLE
        self._states = [[part.detach().cpu().numpy()[0].copy() for part in state] for state in states]
        rows = []
        for index, layer in enumerate(layers):
            weights = {name: _numbers(weight) for name, weight in layer.named_parameters()}
            from_table = table and index == 0
            bias = embedding @ weights["input"].T + weights["bias"] if from_table else weights["bias"]
            inputs = np.zeros(_whole(gates), np.float32)
            state = self._states[index]
            rows += [
                self._at(_panels(weights["recurrent"])),
                0 if from_table else self._at(_panels(weights["input"])),
                weights["input"].shape[1],
                self._at(np.ascontiguousarray(bias)),
                self._at(weights.get("candidate_bias", np.zeros(1, np.float32))),
                self._at(state[0]),
                self._at(state[-1]),
                self._at(np.zeros(_whole(gates), np.float32)),
                self._at(inputs),
            ]
        output = embedding if model.output is None else _numbers(model.output)
        self._logits = np.zeros(_whole(len(output)), np.float32)
        plan = [CELLS[config.cell], len(layers), hidden, gates, len(output), int(table), torch.get_num_threads()]
        plan += [
            self._at(embedding),
            embedding.shape[1],
            self._at(_panels(output)),
            self._at(_numbers(model.output_bias)),
        ]
        plan += [self._at(self._logits), *self._prior(model), *self._contexts(model)]
        self._plan, self._layers = (ctypes.c_int64 * len(plan))(*plan), (ctypes.c_int64 * len(rows))(*rows)
        code = compiled()
        assert code is not None
        self._step = code.sampler_step
        self._arguments = ctypes.addressof(self._plan), ctypes.addressof(self._layers)
        self._shown = self._logits[None, : len(output)]

    @staticmethod
    def supports(model: LanguageModel) -> bool:
        """Whether a model can be stepped so."""
        single = all(weight.dtype == torch.float32 for weight in model.parameters())
        return single and model.config.ngram_order <= 32 and FusedStepper.supports(model) and compiled() is not None

    def step(self, tokens: Sequence[int]) -> Array:
        """See `Stepper.step`."""
        self._step(*self._arguments, tokens[0])
        return self._shown

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        for own, given in zip(self._states, states, strict=True):
            for part, new in zip(own, given, strict=True):
                part[:] = new[0].cpu().numpy()

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`; there is one row."""
        assert list(rows) == [0]

    def change(self, layer: int, part: int, hold: Hold) -> Array:
        """See `charlm.sampling.steppers.Stepper.change`."""
        return hold(self._states[layer][part][None])

    def _prior(self, model: LanguageModel) -> list[int]:
        """The part of the plan that tells of the n-gram prior."""
        prior = model.prior
        if prior is None or prior.ngram is None:
            return [0] * 12
        trie = prior.ngram.trie
        nodes = self._states[-1][0]
        parts = [trie.keys, trie.first, trie.order - 1, nodes, *prior.ngram.estimates]
        parts += [np.array(prior.orders, dtype=np.int64), len(prior.orders)]
        parts += [np.zeros(trie.vocab_size, np.float32)]
        parts += [_numbers(prior.weight), _numbers(prior.bias)]
        return [part if isinstance(part, int) else self._at(part) for part in parts]

    def _contexts(self, model: LanguageModel) -> list[int]:
        """The part of the plan that tells of the vectors of contexts."""
        contexts = model.contexts
        if contexts is None:
            return [0] * 5
        assert model.prior is not None and model.prior.ngram is not None
        vectors = _numbers(contexts.table())
        longest = min(FREQUENT_LENGTHS[-1], model.config.ngram_order - 1)
        total = np.zeros(vectors.shape[1], np.float32)
        return [self._at(vectors), self._at(contexts.rows), len(contexts.rows) - 1, longest, self._at(total)]

    def _at(self, array: Array) -> int:
        """The address of an array that is kept."""
        self._kept.append(array)
        return int(array.ctypes.data)


def _numbers(tensor: torch.Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().numpy())


def _whole(columns: int) -> int:
    """Columns of whole panels."""
    return -(-columns // _PANEL) * _PANEL


def _panels(weights: Array) -> Array:
    """Weights (G, I) in panels of 64 rows, in each the rows of one column side by side; the last filled up with 0."""
    rows, columns = weights.shape
    padded = np.zeros((_whole(rows), columns), np.float32)
    padded[:rows] = weights
    return np.ascontiguousarray(padded.reshape(-1, _PANEL, columns).transpose(0, 2, 1))

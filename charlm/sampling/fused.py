"""The prepared path of sampling on the CPU: no module, no autograd, no new memory from token to token.

The embedding times the first layer's input weights, plus its bias, is a table of V rows of width G, so that a step of
the first layer is a row of the table plus one matrix product. A product for one text is numpy's (its `dot` takes half
the time of torch's `mv` at these sizes), for several texts torch's; both work on the same memory. The logistic function
is taken as sigm(x) = tanh(x / 2) / 2 + 1 / 2, with the 1 / 2 inside folded into the weights. Where there is a C
compiler the elementwise part of a step is one call of compiled code instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.compiled import CELLS, compiled
from charlm.sampling.steering import Hold

Array = NDArray[np.floating]

_SHAPE = (
    "vocab_size",
    "cell",
    "num_layers",
    "hidden_size",
    "embedding_size",
    "tie_weights",
    "ngram_order",
    "context_vectors",
)
_OF_TRAINING = ("dropout", "recurrent_init", "input_init", "forget_bias", "update_bias")
_OF_OTHER_CELLS = ("skip_steps",)
_KNOWN = frozenset((*_SHAPE, *_OF_TRAINING, *_OF_OTHER_CELLS))
"""Settings that are heeded here, or make no difference to a trained model of these cells; others must be at default."""
LARGEST_TABLE = 1 << 26  # numbers; a larger vocabulary multiplies each embedding as it comes


@dataclass(frozen=True, kw_only=True, slots=True)
class FusedCell:
    """A cell's elementwise part, over gates that are laid out for it."""

    names: frozenset[str] = frozenset(("input", "recurrent", "bias"))
    """The weights that the cell has; one with others is not known here."""
    arrange: Callable[[Array], Array]
    """Weights (G, ...) in the order of gates that `step` wants, those of the logistic function halved."""
    step: Callable[[Array, Array, Sequence[Array], Array], None]
    """step(past, inputs, states, extra) brings the states, (B, H) each, one step further in place. `past` (B, G) is
    W h', and may be overwritten; `inputs` (B, G) is V x + b; `extra` (H,) the candidate's bias, where there is one."""


def rnn_step(past: Array, inputs: Array, states: Sequence[Array], extra: Array) -> None:
    """`charlm.cells.rnn`: h = tanh(V x + W h' + b)."""
    past += inputs
    np.tanh(past, out=states[0])


def lstm_step(past: Array, inputs: Array, states: Sequence[Array], extra: Array) -> None:
    """`charlm.cells.lstm`, gates in the order i, f, o, g: c = f * c' + i * g; h = o * tanh(c)."""
    h, c = states
    size = h.shape[1]
    past += inputs
    np.tanh(past, out=past)
    logistic = past[:, : 3 * size]
    logistic *= 0.5
    logistic += 0.5
    i, g = past[:, :size], past[:, 3 * size :]
    c *= past[:, size : 2 * size]
    i *= g
    c += i
    np.tanh(c, out=g)
    np.multiply(past[:, 2 * size : 3 * size], g, out=h)


def gru_step(past: Array, inputs: Array, states: Sequence[Array], extra: Array) -> None:
    """`charlm.cells.gru`: g = tanh(V_g x + b_g + r * (W_g h' + b_c)); h = g + u * (h' - g)."""
    (h,) = states
    size = h.shape[1]
    logistic, g = past[:, : 2 * size], past[:, 2 * size :]
    logistic += inputs[:, : 2 * size]
    np.tanh(logistic, out=logistic)
    logistic *= 0.5
    logistic += 0.5
    g += extra
    g *= past[:, :size]
    g += inputs[:, 2 * size :]
    np.tanh(g, out=g)
    h -= g
    h *= past[:, size : 2 * size]
    h += g


def arrange_lstm(gates: Array) -> Array:
    """i, f, g, o to i, f, o, g, with i, f and o halved."""
    i, f, g, o = np.split(gates, 4)
    return np.concatenate((i / 2, f / 2, o / 2, g))


def arrange_gru(gates: Array) -> Array:
    """r, u, g, with r and u halved."""
    r, u, g = np.split(gates, 3)
    return np.concatenate((r / 2, u / 2, g))


FUSED: dict[str, FusedCell] = {
    "rnn": FusedCell(arrange=np.copy, step=rnn_step),
    "lstm": FusedCell(arrange=arrange_lstm, step=lstm_step),
    "gru-reset-after": FusedCell(
        names=frozenset(("input", "recurrent", "bias", "candidate_bias")), arrange=arrange_gru, step=gru_step
    ),
}
"""By the name of the cell."""

Product = Callable[[], object]


def product(x: Array, weight: Array, out: Array) -> Product:
    """A function that puts x (B, I) times the transpose of weight (G, I) into out (B, G), as they are when called."""
    if len(x) == 1:
        vector, row = x[0], out[0]
        return lambda: np.dot(weight, vector, out=row)
    left, right, result = torch.from_numpy(x), torch.from_numpy(weight).T, torch.from_numpy(out)
    return lambda: torch.mm(left, right, out=result)


class FusedStepper:
    """See `charlm.sampling.steppers.Stepper`; equal to the model up to rounding."""

    def __init__(self, model: LanguageModel, states: Sequence[LayerStates]) -> None:
        """Arrange the weights, and begin with the states of B texts, (1, H) each.

        `supports` says whether a model can be stepped so.
        """
        self._cell = cell = FUSED[model.config.cell]
        single = all(weight.dtype == torch.float32 for weight in model.parameters())
        self._code = compiled() if single else None
        self._kind, self._threads = CELLS[model.config.cell], torch.get_num_threads()
        arrange = cell.arrange if self._code is None else np.copy  # compiled cells take gates in their own order
        self._layers: list[tuple[Array, Array, Array, Array]] = []
        for layer in model.recurrent.layers:
            weights: dict[str, Array] = {name: weight.detach().numpy() for name, weight in layer.named_parameters()}
            weight, recurrent, bias = (
                np.ascontiguousarray(arrange(weights[name])) for name in ("input", "recurrent", "bias")
            )
            self._layers.append((weight, recurrent, bias, weights.get("candidate_bias", np.zeros(0, bias.dtype))))
        self._embedding: Array = model.embedding.detach().numpy()  # (V, E)
        weight, _, bias, _ = self._layers[0]
        small = model.contexts is None and len(self._embedding) * len(bias) <= LARGEST_TABLE
        self._table: Array | None = self._embedding @ weight.T + bias if small else None  # (V, G)
        self._output: Array = self._embedding if model.output is None else model.output.detach().numpy()  # (V, H)
        self._output_bias: Array = model.output_bias.detach().numpy()
        self._states = [
            [np.concatenate([one[layer][part].cpu().numpy() for one in states]) for part in range(len(first))]
            for layer, first in enumerate(states[0][: model.config.num_layers])
        ]
        self._prior = model.prior
        self._contexts = model.contexts
        if self._contexts is not None:
            self._vectors: Array = self._contexts.table().detach().numpy()  # (R + 1, E)
        if self._prior is not None:
            self._context = np.concatenate([one[-1][0].numpy() for one in states])  # (B, n - 1)
        self._lay_out()

    @staticmethod
    def supports(model: LanguageModel) -> bool:
        """Whether nothing about a model is unknown here: its cell, weights, settings, number type and device."""
        cell = FUSED.get(model.config.cell)
        layers = range(model.config.num_layers)
        read = {"embedding", "contexts.vectors", "contexts.spread"}
        written = {"output", "output_bias", "prior.weight", "prior.bias"}
        names = {name for name, _ in model.named_parameters()} - read - written
        return (
            cell is not None
            and type(model).forward is LanguageModel.forward
            and names == {f"recurrent.layers.{index}.{name}" for index in layers for name in cell.names}
            and all(
                getattr(model.config, field.name) == field.default
                for field in fields(model.config)
                if field.name not in _KNOWN
            )
            and all(
                weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64)
                for weight in model.parameters()
            )
        )

    def _lay_out(self) -> None:
        """Make the memory of a step for B rows, and its products."""
        batch, kind = len(self._states[0][0]), self._output.dtype
        self._x = np.zeros((batch, self._embedding.shape[1]), kind)
        self._past, self._inputs = [], []
        self._products: list[tuple[Product, Product]] = []
        x = self._x
        for (weight, recurrent, _, _), state in zip(self._layers, self._states, strict=True):
            past, inputs = np.zeros((batch, len(recurrent)), kind), np.zeros((batch, len(weight)), kind)
            self._past.append(past)
            self._inputs.append(inputs)
            self._products.append((product(state[0], recurrent, past), product(x, weight, inputs)))
            x = state[0]
        self._zeros = np.zeros(self._past[0].shape[1], kind)
        self._addresses = [
            (
                (self._kind, batch, state[0].shape[1], past.shape[1], past.ctypes.data),
                (
                    self._zeros.ctypes.data,
                    extra.ctypes.data,
                    state[0].ctypes.data,
                    state[-1].ctypes.data,
                    self._threads,
                ),
            )
            for past, state, (_, _, _, extra) in zip(self._past, self._states, self._layers, strict=True)
        ]
        self._logits = np.zeros((batch, len(self._output)), kind)
        self._to_logits = product(x, self._output, self._logits)

    def step(self, tokens: Sequence[int]) -> Array:
        """See `Stepper.step`."""
        if self._prior is not None:
            assert self._prior.ngram is not None
            (self._context,) = self._prior.ngram.advance(self._context, np.array([tokens]))
        for index, (_, _, bias, extra) in enumerate(self._layers):
            from_past, from_input = self._products[index]
            from_past()
            inputs = self._inputs[index]
            if index or self._table is None:
                if not index:
                    self._x[:] = self._embedding[tokens]
                    if self._contexts is not None:
                        self._x += self._vectors[self._contexts.rows_of(self._context)].sum(axis=1)
                from_input()
                inputs += bias
            elif len(inputs) == 1:
                inputs = self._table[tokens[0]][None]
            else:
                np.take(self._table, tokens, axis=0, out=inputs, mode="clip")
            if self._code is None:
                self._cell.step(self._past[index], inputs, self._states[index], extra)
            else:
                before, after = self._addresses[index]
                self._code.sampler_cells(*before, inputs.__array_interface__["data"][0], *after)
        self._to_logits()
        self._logits += self._output_bias
        if self._prior is not None:
            self._logits += self._prior.step(self._states[-1][0], self._context)
        return self._logits

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        if self._prior is not None:
            self._context[row] = states[-1][0][0].numpy()
        for own, given in zip(self._states, states[: len(self._states)], strict=True):
            for part, new in zip(own, given, strict=True):
                part[row] = new[0].cpu().numpy()

    def change(self, layer: int, part: int, hold: Hold) -> Array:
        """See `charlm.sampling.steppers.Stepper.change`."""
        return hold(self._states[layer][part])

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        self._states = [[part[list(rows)] for part in state] for state in self._states]
        if self._prior is not None:
            self._context = self._context[list(rows)]
        self._lay_out()

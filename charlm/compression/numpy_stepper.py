"""A step of one text in NumPy, with the float32 operations of the portable compiled step in the same order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.compression import float32
from charlm.compression.numpy_loop import NumpyLoop, Singles, dot, linear
from charlm.kernels import PROGRAMS
from charlm.kernels.buffers import Buffer
from charlm.kernels.forward import add_convolution, add_forward, forward_buffers, lookback_of
from charlm.kernels.program import residual_sum
from charlm.model.additions.match import MOST_STRETCHED, SCALE
from charlm.model.language_model import LanguageModel
from charlm.model.networks.convolution import Convolution
from charlm.ngram.match import advance as advance_match
from charlm.ngram.model import NgramModel
from charlm.sampling.steering import FixedComponent
from charlm.sampling.steppers.recurrent import LARGEST_TABLE


class NumpyStepper:
    """A `charlm.sampling.steppers.Stepper` for one text."""

    def __init__(self, model: LanguageModel, states: LayerStates) -> None:
        """Begin with the states of one text, (1, H) each."""
        self._model, self._loop = model, NumpyLoop()
        self._histories: list[tuple[torch.Tensor, ...]] = []  # what each layer remembers, the step's own at the end
        self._biases: list[tuple[torch.Tensor, torch.Tensor]] = []  # memory, and what it is set to before a step
        self._embedding = model.embedding.detach().numpy()
        self._inputs = torch.zeros(1, self._embedding.shape[1])
        self._table: Singles | None = None
        self._vectors = self._context_vectors()
        self._first_gates = torch.zeros(0)
        self._nodes = self._matches = np.zeros((1, 0), np.int32)  # states of the prior and the match, set by `load`
        network = model.network
        self._top = source = self._add_convolutions(network) if isinstance(network, Convolution) else self._add_layers()
        weight = model.output_weight
        self._logits = torch.zeros(1, len(weight))
        self._biases.append((self._logits, model.output_bias.detach()))
        self._loop.product(source, weight.detach(), Buffer(self._logits), add=True)
        self.load(0, states)

    @staticmethod
    def supports(model: LanguageModel) -> bool:
        """Whether a model has convolutions or a cell with a Program, and its weights are float32 on the CPU."""
        config = model.config
        known = config.cell in PROGRAMS if config.network == "recurrent" else config.network == "convolution"
        return (
            known
            and type(model).forward is LanguageModel.forward
            and all(weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in model.parameters())
        )

    def step(self, tokens: Sequence[int]) -> NDArray[np.floating]:
        """See `Stepper.step`."""
        (token,), model = tokens, self._model
        ids = np.array([[token]])
        if model.prior is not None:
            assert model.prior.ngram is not None
            self._nodes = model.prior.ngram.advance(self._nodes, ids)[0]
        for memory, bias in self._biases:
            memory[:] = bias
        if self._table is not None:
            self._first_gates.numpy()[0] = self._table[token]
        else:
            self._inputs.numpy()[0] = self._embed(token)
        self._loop.run(0, 1, 1)
        logits: Singles = self._logits.numpy().copy()
        if model.prior is not None:
            self._add_prior(logits[0], self._top.at(0).numpy()[0])
        for memories in self._histories:
            for memory in memories:
                memory[:-1] = memory[1:].clone()
        if model.match is not None:
            predictions, self._matches = advance_match(model.match.lengths, self._matches, ids)
            self._add_match(logits[0], predictions[0, 0], self._top.at(0).numpy()[0])
        return logits

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        layers, additions = self._model.split_states(states)
        for memories, state in zip(self._histories, layers, strict=True):
            if self._model.config.network == "convolution":
                memories[0][:-1, 0] = state[0][0]
                continue
            for memory, past in zip(memories, (state[: len(memories[0]) - 1], state[-1:]), strict=False):
                memory[:-1] = torch.stack(past[::-1])
        if additions.prior is not None:
            self._nodes = additions.prior[0].numpy()
        if additions.match is not None:
            self._matches = additions.match[0].numpy()

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`; there is a single row."""

    def change(self, layer: int, part: int, component: FixedComponent) -> NDArray[np.floating]:
        """See `Stepper.change`."""
        return component(self._histories[layer][part][-2].numpy())

    def _context_vectors(self) -> Singles | None:
        contexts = self._model.contexts
        if contexts is None:
            return None
        vectors = contexts.vectors.detach().numpy()
        if contexts.spread is None:
            return vectors
        return linear(vectors, contexts.spread.detach().numpy(), np.zeros(1, np.float32))

    def _add_layers(self) -> Buffer:
        """Add the recurrent layers; returns the outputs of the last."""
        source, program = Buffer(self._inputs), PROGRAMS[self._model.config.cell]
        lookback = lookback_of(program, self._model.recurrent.cell.states)
        for index, layer in enumerate(self._model.recurrent.layers):
            weights = {name: weight.detach() for name, weight in layer.named_parameters()}
            bias = torch.cat((weights["bias"].new_zeros(len(weights["input"]) - len(weights["bias"])), weights["bias"]))
            gates, hidden_size = torch.zeros(1, len(weights["input"])), self._model.config.hidden_size
            if index == 0 and self._vectors is None and self._embedding.shape[0] * gates.shape[1] <= LARGEST_TABLE:
                self._table = linear(self._embedding, weights["input"].numpy(), bias.numpy())
                self._first_gates = gates
            else:
                self._biases.append((gates, bias))
                self._loop.product(source, weights["input"], Buffer(gates), add=True)
            hidden = torch.zeros(lookback + 1, 1, hidden_size)
            cells = torch.zeros(2, 1, hidden_size) if "c" in program.states else None
            self._histories.append((hidden,) if cells is None else (hidden, cells))
            saved = [torch.zeros(1, hidden_size) for _ in program.saved]
            buffers = forward_buffers(program, gates, hidden, cells, saved, weights, lookback=lookback)
            add_forward(self._loop, program, buffers, weights)
            output = Buffer(hidden, lookback)
            if index and self._model.config.skip == "residual":
                summed = Buffer(torch.zeros(1, hidden_size))
                parts = {"layer_input": source, "layer_output": output, "next_input": summed}
                self._loop.stage(residual_sum, parts)
                output = summed
            source = output
        return source

    def _add_convolutions(self, network: Convolution) -> Buffer:
        """Add the convolutions; returns the outputs of the last."""
        size = self._model.config.hidden_size
        self._histories += [(torch.zeros(span + 1, 1, size),) for span in network.spans]
        inputs = [Buffer(memory, span) for (memory,), span in zip(self._histories, network.spans, strict=True)]
        outputs = [*inputs[1:], Buffer(torch.zeros(1, size))]
        self._loop.product(Buffer(self._inputs), network.input.detach(), inputs[0], add=False)
        for layer, source, output in zip(network.convolutions, inputs, outputs, strict=True):
            total, taps = torch.zeros(1, 2 * size), [tap.detach() for tap in layer.taps()]
            self._biases.append((total, layer.bias.detach()))
            add_convolution(self._loop, taps, source.tensor, total, output, dilation=layer.dilation)
        return outputs[-1]

    def _embed(self, token: int) -> Singles:
        """What the first layer reads, (E,), as `embed` in step.c."""
        total: Singles = self._embedding[token].copy()
        if self._vectors is not None:
            assert self._model.contexts is not None
            for row in self._model.contexts.rows_of(self._nodes)[0][: self._model.config.ngram_order - 2]:
                total = total + self._vectors[row]
        return total

    def _add_prior(self, logits: Singles, hidden: Singles) -> None:
        """Add the n-gram prior, as `add_prior` in step.c."""
        prior = self._model.prior
        assert prior is not None and prior.ngram is not None
        known = _known_contexts(prior.ngram, self._nodes[0])
        weights = prior.bias.detach().numpy()[:, known] + dot(prior.weight.detach().numpy(), hidden)
        by_order = prior.ngram.by_order(self._nodes, prior.orders, np.float32)[0]  # (J, V)
        for weight, probabilities in zip(weights, by_order, strict=True):
            logits[:] = logits + weight * float32.log(probabilities)

    def _add_match(self, logits: Singles, predictions: NDArray[np.int32], hidden: Singles) -> None:
        """Add the match, as `add_match` in step.c."""
        match = self._model.match
        assert match is not None
        gate = (SCALE * match.gate.detach()).numpy()
        stretched = {
            token: _stretched(logits, token) for token in predictions[:, 0].tolist() if 0 <= token < len(logits)
        }
        for index, (token, bucket) in enumerate(predictions.tolist()):
            if token not in stretched:
                continue
            slope, offset = gate[bucket]
            if match.weight is not None:
                more_slope, more_offset = dot(match.weight.detach().numpy()[index], hidden)
                slope, offset = slope + more_slope, offset + more_offset
            logits[token] = logits[token] + (slope * stretched[token] + offset)


def _stretched(logits: Singles, token: int) -> Any:
    """ln(p / (1 - p)) of a token with the probability p, as `stretched` in step.c."""
    others = np.delete(logits, token)
    largest = np.float32(others.max())
    total = float32.ordered_sum(float32.exp(others - largest))
    odds = logits[token] - largest - float32.log(np.atleast_1d(total))[0]
    return np.clip(odds, np.float32(-MOST_STRETCHED), np.float32(MOST_STRETCHED))


def _known_contexts(ngram: NgramModel, nodes: NDArray[np.int32]) -> int:
    """How many contexts of a state have been seen followed by a token."""
    known = nodes[nodes >= 0]
    return int(np.count_nonzero(ngram.estimates.backoffs[known] < 1))

"""A step for a batch of texts in one call of compiled code: all layers, the n-gram prior, the match and the n-grams of
labels."""

import ctypes
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.kernels import PROGRAMS, compiled
from charlm.kernels.program import CONVOLUTION, TRANSFORMER, Function
from charlm.model.language_model import LanguageModel
from charlm.native.library import native_library
from charlm.ngram.match import check_states, lengths_for
from charlm.sampling.steering import FixedComponent
from charlm.sampling.steppers.convolution import ConvolutionLayout
from charlm.sampling.steppers.layout import StepLayout, StepWeights
from charlm.sampling.steppers.recurrent import RecurrentLayout, RecurrentWeights
from charlm.sampling.steppers.transformer import TransformerLayout


class CompiledStepper:
    """A `charlm.sampling.steppers.Stepper` that runs compiled code. It agrees with the model up to rounding."""

    def __init__(self, model: LanguageModel, states: Sequence[LayerStates], *, portable: bool = False) -> None:
        """Begin with the states of B texts, (1, H) each. The model must be one that `supports` accepts.

        With `portable` the logits of a single text are the same on every machine and with any number of threads.
        """
        functions = _functions(model)
        assert functions is not None
        code, sampler = _libraries(functions, portable=portable)
        assert code is not None and sampler is not None
        self._sampler_step = sampler.sampler_step
        weights = RecurrentWeights if model.config.network == "recurrent" else StepWeights
        self._weights = weights(model, code, portable=portable)
        self._vocab_size = model.config.vocab_size
        self._match_lengths = lengths_for(self._vocab_size, with_recent=model.config.recent)
        self._set_layout(self._new_layout(len(states)))
        for row, state in enumerate(states):
            self.load(row, state)

    @staticmethod
    def supports(model: LanguageModel, *, portable: bool = False) -> bool:
        """Whether there is compiled code for a model; `portable` as in the constructor.

        It must have convolutions, a cell with a Program, or, unless `portable`, be a transformer; its weights must be
        float32, on the CPU, and none other than those that a step uses, and there must be a C compiler.
        """
        if portable and model.config.network == "transformer":  # its sums have no form in NumPy
            return False
        if (functions := _functions(model)) is None:
            return False
        code, sampler = _libraries(functions, portable=portable)
        if code is None or sampler is None or type(model).forward is not LanguageModel.forward:
            return False
        weights = dict(model.named_parameters())
        shared = {"embedding", "output", "output_bias", "prior.weight", "prior.bias"}
        shared |= {"contexts.vectors", "contexts.spread", "match.gate", "match.weight", "labels.vectors"}
        prior, of_labels = model.prior, model.additions.label_ngrams
        max_order, max_mixed_orders = int(sampler.max_order()), int(sampler.max_mixed_orders())
        return (
            _network_weights(model) == set(weights) - shared
            and all(weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in weights.values())
            and (prior is None or (prior.order <= max_order and len(prior.orders) <= max_mixed_orders))
            and (of_labels is None or of_labels.order <= max_order)
        )

    def step(self, tokens: Sequence[int]) -> NDArray[np.floating]:
        """See `Stepper.step`; raises `ValueError` for a token outside the vocabulary."""
        if not 0 <= min(tokens) <= max(tokens) < self._vocab_size:
            raise ValueError(f"a token is not below the {self._vocab_size} tokens of the model")
        self._tokens[:] = [*tokens]
        self._sampler_step(*self._arguments)
        return self._logits

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        layout = self._layout
        layers, additions = self._weights.model.split_states(states)
        for layer, state in enumerate(layers):
            layout.load(layer, row, state)
        if layout.prior_states is not None and additions.prior is not None:
            layout.prior_states[row] = additions.prior[0][0].numpy()
        if additions.labels is not None:
            layout.load_labels(row, additions.labels)
        if layout.match_states is not None and additions.match is not None:
            layout.match_states[row] = check_states(self._match_lengths, additions.match[0].numpy())[0]

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        old, kept = self._layout, np.array(rows)
        places = np.flatnonzero(kept != np.arange(len(kept)))  # the state of a text can be large
        if len(kept) > old.rows:
            self._set_layout(self._new_layout(len(kept)))
            self._layout.block.time = old.block.time
            places = np.arange(len(kept))
        sources = kept[places]
        new, time, period = self._layout, old.block.time, old.block.period
        for old_history, new_history in zip(old.histories, new.histories, strict=True):
            for before, after in zip(old_history, new_history, strict=True):
                if before is not None and after is not None:
                    past = slice(time, time + len(before) - period)  # what the next step reads
                    after[past, places] = before[past, sources]
        for own, others in zip(old.addition_rows(), new.addition_rows(), strict=True):
            others[places] = own[sources]
        self._set_rows(len(kept))

    def change(self, layer: int, part: int, component: FixedComponent) -> NDArray[np.floating]:
        """See `Stepper.change`."""
        return component(self._layout.state(layer, part).numpy())

    def _new_layout(self, rows: int) -> StepLayout:
        """New memory for a batch of texts."""
        if isinstance(self._weights, RecurrentWeights):
            return RecurrentLayout(self._weights, rows)
        if self._weights.model.config.network == "transformer":
            return TransformerLayout(self._weights, rows)
        return ConvolutionLayout(self._weights, rows)

    def _set_layout(self, layout: StepLayout) -> None:
        self._layout = layout
        self._set_rows(layout.rows)

    def _set_rows(self, rows: int) -> None:
        """Use the first rows of the layout."""
        layout = self._layout
        layout.block.rows = rows
        self._tokens, self._logits = (ctypes.c_int64 * rows)(), layout.logits[:rows]
        self._arguments = (ctypes.addressof(layout.block), ctypes.addressof(self._tokens))


_LAYER_WEIGHTS = {
    "convolution": ("weight", "bias"),
    "transformer": (
        *("attention_norm", "query_key_value", "attention_output"),
        *("inner_norm", "inner", "inner_output"),
    ),
}
"""The weights of each layer that a step uses."""


def _functions(model: LanguageModel) -> tuple[Function, ...] | None:
    """The functions to compile for the layers of a model; None if there are none."""
    if model.config.network == "recurrent":
        program = PROGRAMS.get(model.config.cell)
        return None if program is None else program.functions
    return {"convolution": CONVOLUTION, "transformer": TRANSFORMER}.get(model.config.network)


def _network_weights(model: LanguageModel) -> set[str]:
    """The names of the weights of the layers that a step uses."""
    network = model.config.network
    names = model.recurrent.cell.shapes(1, 1) if network == "recurrent" else _LAYER_WEIGHTS[network]
    of_layers = {f"layers.{index}.{name}" for index in range(model.config.num_layers) for name in names}
    others = {"recurrent": (), "convolution": ("input",), "transformer": ("input", "norm")}[network]
    return {f"{network}.{name}" for name in (*of_layers, *others)}


def _libraries(
    functions: tuple[Function, ...], *, portable: bool
) -> tuple[compiled.Library | None, ctypes.CDLL | None]:
    """The compiled code of the layers, and that of a step."""
    if portable:
        return compiled.portable_library(functions), native_library(portable=True)
    return compiled.program_library(functions, torch.float32), native_library()

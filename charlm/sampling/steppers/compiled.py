"""A step for a batch of texts in one call of compiled code: all layers and the n-gram prior."""

import ctypes
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.kernels import PROGRAMS, compiled
from charlm.kernels.program import Program
from charlm.model.language_model import LanguageModel
from charlm.native.library import native_library
from charlm.ngram.match import check_states
from charlm.sampling.steering import Hold
from charlm.sampling.steppers.layout import StepLayout, StepWeights


class CompiledStepper:
    """A `charlm.sampling.steppers.Stepper` that runs compiled code. It agrees with the model up to rounding."""

    def __init__(self, model: LanguageModel, states: Sequence[LayerStates], *, portable: bool = False) -> None:
        """Begin with the states of B texts, (1, H) each. The model must be one that `supports` accepts.

        With `portable` the logits of a single text are the same on every machine and with any number of threads.
        """
        code, sampler = _libraries(PROGRAMS[model.config.cell], portable=portable)
        assert code is not None and sampler is not None
        self._sampler_step, self._match_step = sampler.sampler_step, sampler.match_step
        self._weights = StepWeights(model, code, portable=portable)
        self._vocab_size = model.config.vocab_size
        self._set_layout(StepLayout(self._weights, len(states)))
        for row, state in enumerate(states):
            self.load(row, state)

    @staticmethod
    def supports(model: LanguageModel, *, portable: bool = False) -> bool:
        """Whether there is compiled code for a model; `portable` as in the constructor.

        Its cell must have a Program, its weights must be float32, on the CPU, and none other than those that a step
        uses, and there must be a C compiler.
        """
        cell, prior = model.recurrent.cell, model.prior
        if (program := PROGRAMS.get(cell.name)) is None:
            return False
        code, sampler = _libraries(program, portable=portable)
        if code is None or sampler is None or type(model).forward is not LanguageModel.forward:
            return False
        weights = dict(model.named_parameters())
        shared = {"embedding", "output", "output_bias", "prior.weight", "prior.bias"}
        shared |= {"contexts.vectors", "contexts.spread", "match.gate", "labels.vectors"}
        layers = range(model.config.num_layers)
        of_layers = {f"recurrent.layers.{index}.{name}" for index in layers for name in cell.shapes(1, 1)}
        max_order, max_mixed_orders = int(sampler.max_order()), int(sampler.max_mixed_orders())
        return (
            of_layers == set(weights) - shared
            and all(weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in weights.values())
            and (prior is None or (prior.order <= max_order and len(prior.orders) <= max_mixed_orders))
        )

    def step(self, tokens: Sequence[int]) -> NDArray[np.floating]:
        """See `Stepper.step`; raises `ValueError` for a token outside the vocabulary."""
        if not 0 <= min(tokens) <= max(tokens) < self._vocab_size:
            raise ValueError(f"a token is not below the {self._vocab_size} tokens of the model")
        self._tokens[:] = [*tokens]
        self._sampler_step(*self._arguments)
        if self._match_arguments is not None:
            self._match_step(*self._match_arguments)
        return self._logits

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        time, lookback = self._layout.block.time, self._weights.lookback
        for (hidden, cells), state in zip(self._layout.histories, states, strict=False):
            for back in range(lookback):
                hidden[time + lookback - 1 - back, row] = state[back][0]
            if cells is not None:
                cells[time, row] = state[-1][0]
        if self._layout.prior_states is not None:
            self._layout.prior_states[row] = states[len(self._layout.histories)][0][0].numpy()
        if self._layout.added is not None:
            labels = states[len(self._layout.histories) + (self._layout.prior_states is not None)]
            self._layout.added[row] = self._weights.added_by_labels(labels)
        if self._layout.match_states is not None:
            self._layout.match_states[row] = check_states(states[-1][0].numpy())[0]

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        kept, old = [*rows], self._layout
        if len(kept) > old.rows:
            self._set_layout(StepLayout(self._weights, len(kept)))
            self._layout.block.time = old.block.time
        new = self._layout
        for old_history, new_history in zip(old.histories, new.histories, strict=True):
            for before, after in zip(old_history, new_history, strict=True):
                if before is not None and after is not None:
                    after[:, : len(kept)] = before[:, kept]
        for own, others in ((old.prior_states, new.prior_states), (old.match_states, new.match_states)):
            if own is not None and others is not None:
                others[: len(kept)] = own[kept]
        if old.added is not None and new.added is not None:
            new.added[: len(kept)] = old.added[kept]
        self._set_rows(len(kept))

    def change(self, layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
        """See `Stepper.change`."""
        block, (hidden, cells) = self._layout.block, self._layout.histories[layer]
        state = hidden[block.time + self._weights.lookback - 1] if part == 0 or cells is None else cells[block.time]
        return hold(state[: block.rows].numpy())

    def _set_layout(self, layout: StepLayout) -> None:
        self._layout = layout
        self._set_rows(layout.rows)

    def _set_rows(self, rows: int) -> None:
        """Use the first rows of the layout."""
        layout = self._layout
        layout.block.rows = rows
        self._tokens, self._logits = (ctypes.c_int64 * rows)(), layout.logits[:rows]
        self._arguments = (ctypes.addressof(layout.block), ctypes.addressof(self._tokens))
        self._match_arguments = layout.match_arguments(ctypes.addressof(self._tokens), rows)


def _libraries(program: Program, *, portable: bool) -> tuple[compiled.Library | None, ctypes.CDLL | None]:
    """The compiled code of a cell, and that of a step."""
    if portable:
        return compiled.portable_library(program.functions), native_library(portable=True)
    return compiled.program_library(program.functions, torch.float32), native_library()

"""One token further, for one text or many: through the model, or through a prepared path on the CPU.

A stepper holds the states of B texts, one a row. It is made once for a batch and used for every token of it.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.fused import FusedStepper
from charlm.sampling.native import NativeStepper
from charlm.sampling.steering import Hold, Steered, Steering

LogitRows = NDArray[np.floating]
"""(B, V), nats up to a constant for each row; valid until the next step."""


_MANY = 32  # texts from which on torch's own LSTM layer, with one call for a step, is the faster


class Stepper(Protocol):
    """The states of B texts and how they go on."""

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """Read one token for each row; the logits of the next."""

    def load(self, row: int, states: LayerStates) -> None:
        """Give a row the states of another text, (1, H) each."""

    def take(self, rows: Sequence[int]) -> None:
        """Row j becomes what row `rows[j]` was; B becomes the number of `rows`."""

    def change(self, layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
        """Carry out a hold on one of a layer's states; what it gives."""


class ModelStepper:
    """Calls the model: any cell, any device."""

    def __init__(self, model: LanguageModel, states: Sequence[LayerStates]) -> None:
        """Begin with the states of B texts, (1, H) each."""
        self._model = model
        self._device = model.output_bias.device
        self._states = _stack(states)

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> LogitRows:
        """See `Stepper.step`."""
        ids = torch.tensor(tokens, device=self._device).unsqueeze(0)  # (1, B)
        logits, self._states = self._model(ids, self._states)
        rows: LogitRows = logits[0].float().cpu().numpy()
        return rows

    @torch.inference_mode()
    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        self._states = tuple(
            tuple(_with_row(part, row, new) for part, new in zip(own, given, strict=True))
            for own, given in zip(self._states, states, strict=True)
        )

    @torch.inference_mode()
    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        index = torch.tensor(rows)
        self._states = tuple(tuple(part[index.to(part.device)] for part in state) for state in self._states)

    @torch.inference_mode()
    def change(self, layer: int, part: int, hold: Hold) -> NDArray[np.floating]:
        """See `Stepper.change`."""
        values = self._states[layer][part].cpu().numpy()  # on the CPU the memory of the state itself
        moved = hold(values)
        if self._device.type != "cpu":
            self._states[layer][part].copy_(torch.from_numpy(values))
        return moved


def _with_row(part: Tensor, row: int, new: Tensor) -> Tensor:
    part = part.clone()
    part[row] = new[0]
    return part


@torch.inference_mode()
def _stack(states: Sequence[LayerStates]) -> LayerStates:
    """The states of single texts as the states of a batch."""
    return tuple(
        tuple(torch.cat([states[text][layer][part] for text in range(len(states))]) for part in range(len(first)))
        for layer, first in enumerate(states[0])
    )


class SteeredStepper:
    """Another stepper whose states are held after every step."""

    def __init__(self, stepper: Stepper, steered: Steered) -> None:
        self._stepper, self._steered = stepper, steered
        self.load, self.take, self.change = stepper.load, stepper.take, stepper.change

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """See `Stepper.step`; raises `ConfigError` where the steering leaves no probabilities."""
        logits = self._stepper.step(tokens)
        self._steered(self._stepper.change, logits)
        return logits


def prepare(
    model: LanguageModel, states: Sequence[LayerStates], *, single: bool = False, steering: Steering = ()
) -> Stepper:
    """The fastest stepper there is for a model, with the states of B texts, (1, H) each.

    `single` says that there is one text, and that there never will be more.
    """
    if steering:
        return SteeredStepper(prepare(model, states, single=single), Steered(model, steering))
    if single and NativeStepper.supports(model):
        return NativeStepper(model, states[0])
    wide = len(states) >= _MANY and model.config.cell == "lstm"
    if FusedStepper.supports(model) and not wide:
        return FusedStepper(model, states)
    return ModelStepper(model, states)

"""A stepper that calls the model itself. It works for any network and any device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.steering import FixedComponent
from charlm.sampling.steppers.base import LogitRows


class ModelStepper:
    """A stepper (see `charlm.sampling.steppers.Stepper`) that calls the model."""

    def __init__(self, model: LanguageModel, states: Sequence[LayerStates]) -> None:
        """Begin with the states of B texts, (1, H) each."""
        self._model = model
        self._device = model.output_bias.device
        self._states = _stack(states)

    @property
    def states(self) -> LayerStates:
        """The states of the B texts, (B, H) each."""
        return self._states

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
            tuple(_with_row(part, row, new_part) for part, new_part in zip(old, new, strict=True))
            for old, new in zip(self._states, states, strict=True)
        )

    @torch.inference_mode()
    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        index = torch.tensor(rows)
        self._states = tuple(tuple(part[index.to(part.device)] for part in state) for state in self._states)

    @torch.inference_mode()
    def change(self, layer: int, part: int, component: FixedComponent) -> NDArray[np.floating]:
        """See `Stepper.change`."""
        values = self._states[layer][part].cpu().numpy()  # on the CPU this shares the memory of the state
        change = component(values)
        if self._device.type != "cpu":
            self._states[layer][part].copy_(torch.from_numpy(values))
        return change


def _with_row(part: Tensor, row: int, new: Tensor) -> Tensor:
    """A copy of a state (B, H) with one row replaced by `new` (1, H)."""
    part = part.clone()
    part[row] = new[0]
    return part


@torch.inference_mode()
def _stack(states: Sequence[LayerStates]) -> LayerStates:
    """The states of single texts, (1, H) each, as the states of a batch, (B, H) each."""
    return tuple(
        tuple(torch.cat([states[text][layer][part] for text in range(len(states))]) for part in range(len(first)))
        for layer, first in enumerate(states[0])
    )

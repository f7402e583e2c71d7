"""The losses and gradient norms of steps, which stay on the device until those of several steps are read together."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from charlm.config import TrainConfig
from charlm.errors import TrainingDivergedError
from charlm.training.divergence import divergence_message
from charlm.training.events import StepEvent
from charlm.training.state import TrainingState


class Figures:
    """Reading a number from a GPU waits for all its work, so it isn't done after every step."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._events = list[StepEvent]()
        self._values = list[Tensor]()

    def add(self, event: StepEvent, loss: Tensor, gradient_norm: Tensor) -> None:
        """Keep an event whose loss and gradient norm are not known yet."""
        self._events.append(event)
        self._values.append(torch.stack((loss.detach(), gradient_norm)))

    def read(self) -> list[StepEvent]:
        """The complete events since the last call.

        Raises `TrainingDivergedError` if one has a loss or gradient that is not finite.
        """
        if not self._events:
            return []
        values: list[list[float]] = torch.stack(self._values).tolist()
        events = self._events
        self._events, self._values = [], []
        complete = []
        for event, (loss, norm) in zip(events, values, strict=True):
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise TrainingDivergedError(divergence_message(loss, norm, event.step, self._config))
            complete.append(replace(event, loss=loss, gradient_norm=norm, clipped_norm=clipped(norm, self._config)))
        return complete


def clipped(norm: float, config: TrainConfig) -> float:
    """The gradient norm after clipping."""
    return min(norm, config.clip) if config.clip > 0 else norm


def figures_for(state: TrainingState, config: TrainConfig) -> Figures | None:
    """Where to keep the figures of a run; None on the CPU, and with several processes, which add them up."""
    on_cpu = state.model.output_bias.device.type == "cpu"
    return None if on_cpu or state.processes.size > 1 else Figures(config)

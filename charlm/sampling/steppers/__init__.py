"""Steppers, which read one token for each text of a batch: by compiled code if possible, else by the model itself."""

from collections.abc import Sequence

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.steering import Steered, Steering
from charlm.sampling.steppers.base import LogitRows, Stepper
from charlm.sampling.steppers.by_model import ModelStepper

try:
    from charlm.sampling.steppers.compiled import CompiledStepper
except ModuleNotFoundError as error:  # charlm also works without its kernels, more slowly
    if not (error.name or "").startswith("charlm."):
        raise
    CompiledStepper = None  # type: ignore[assignment,misc]


class SteeredStepper:
    """A stepper that applies steering to the states of another stepper after every step."""

    def __init__(self, stepper: Stepper, steered: Steered) -> None:
        self._stepper, self._steered = stepper, steered
        self.load, self.take, self.change = stepper.load, stepper.take, stepper.change

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """See `Stepper.step`; raises `ConfigError` if the steering leaves no probabilities."""
        logits = self._stepper.step(tokens)
        self._steered(self._stepper.change, logits)
        return logits


def make_stepper(model: LanguageModel, states: Sequence[LayerStates], *, steering: Steering = ()) -> Stepper:
    """The fastest stepper for a model, starting from the states of B texts, (1, H) each."""
    if steering:
        return SteeredStepper(make_stepper(model, states), Steered(model, steering))
    if CompiledStepper is not None and CompiledStepper.supports(model):
        return CompiledStepper(model, states)
    return ModelStepper(model, states)


__all__ = ["CompiledStepper", "LogitRows", "ModelStepper", "SteeredStepper", "Stepper", "make_stepper"]

"""The events of a training run."""

from dataclasses import dataclass

from charlm.config import JsonConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class StepEvent(JsonConfig):
    """One optimiser step, or the mean of several."""

    step: int
    epoch: float
    """Passes over the training split so far."""
    progress: float
    """Share of the run that is done, 0 to 1."""
    tokens: int
    """Targets trained on so far."""
    seconds: float
    """Since the run began, summed over sessions."""
    loss: float
    """Nats per token."""
    gradient_norm: float
    """Global norm before clipping."""
    clipped_norm: float
    """Global norm after clipping."""
    learning_rate: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationEvent:
    """A score of (a sample of) the validation split."""

    step: int
    seconds: float
    nats_per_token: float
    bits_per_character: float
    tokens: int
    """Targets scored."""
    best: bool
    """Whether it is the lowest so far."""
    margin: float
    """Half the width of the 95% confidence interval, nats per token; 0 if the whole split was scored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleEvent:
    """What the model wrote at a step of training: one text, or several if its documents are short."""

    step: int
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """All texts: one a line, or with a blank line between them if one of them has several lines."""
        return ("\n\n" if any("\n" in text for text in self.texts) else "\n").join(self.texts)


Event = StepEvent | ValidationEvent | SampleEvent

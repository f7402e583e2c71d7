"""The facts in a model file about the text its model was trained on, and about the training."""

from dataclasses import dataclass
from typing import Any

from charlm.config import CorpusConfig, JsonConfig, TrainConfig, check_amounts
from charlm.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutFacts(JsonConfig):
    """A split that is a text of its own."""

    name: str
    bytes: int
    characters: int
    documents: int
    sha256: str

    def __post_init__(self) -> None:
        check_amounts(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFacts(JsonConfig):
    """The text that a model was trained on."""

    name: str
    bytes: int
    characters: int
    documents: int
    sha256: str
    config: CorpusConfig
    """How it was read, cut and split."""
    boundaries: tuple[int, int, int]
    """Where the splits end, in characters."""
    valid: HeldOutFacts | None = None
    """The validation split, if it is a text of its own. A test split of its own isn't read in training."""

    def __post_init__(self) -> None:
        check_amounts(self)
        if not 0 <= self.boundaries[0] <= self.boundaries[1] <= self.boundaries[2] == self.characters:
            raise ConfigError(f"TextFacts: the splits of {self.characters} characters can't end at {self.boundaries}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstModel(JsonConfig):
    """The model that a run began with, whose texts the trained model has learnt from, too."""

    name: str
    sha256: str
    """Of its weights, from `charlm.storage.checkpoint.weights_sha256`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingFacts(JsonConfig):
    """How a model was trained."""

    config: TrainConfig
    step: int
    epoch: float
    tokens: int
    seconds: float
    validation_nats_per_token: float | None
    """None when there was no validation at this step."""
    validation_margin: float | None = None
    """Half the width of its 95% confidence interval; 0 if the whole split was scored, None if unknown."""
    validation_tokens: int | None = None
    """Targets scored for it; None if unknown."""
    threads: int
    device: str
    torch: str
    """torch's version."""
    charlm: str
    """charlm's version."""
    began_with: FirstModel | None = None
    """None for new weights, and in files of charlm 0.1."""
    temperature: float | None = None
    """What the logits were divided by at the end of the run (`charlm.evaluation.calibration`); None before that."""

    def __post_init__(self) -> None:
        check_amounts(self)


def facts_json(facts: TextFacts | TrainingFacts | None) -> dict[str, Any]:
    """Facts as plain JSON values; an empty object if they are unknown."""
    return {} if facts is None else facts.to_json()

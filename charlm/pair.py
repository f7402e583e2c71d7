"""Two models of one text that read it from either side, and how the second is found for the first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charlm.errors import CharlmError, ConfigError, RunError
from charlm.sampling.infill.fill import FillConfig, Filling, fill
from charlm.storage.runs import RUNS, newest_models
from charlm.text_model import LoadedModel, load


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two models of one text that read it from either side."""

    forward: LoadedModel
    backward: LoadedModel

    def fill(self, left: str, right: str, *, num: int = 5, **settings: Any) -> list[Filling]:
        """The likeliest texts between two others, the best first; settings are the fields of `FillConfig`."""
        one, other = self.forward.checkpoint, self.backward.checkpoint
        config = FillConfig(**settings)
        return fill(one.model, other.model, one.tokenizer, left=left, right=right, num=num, config=config)


def load_pair(forward: str | Path | None = None, backward: str | Path | None = None) -> Pair:
    """Read a model of each direction; where one is not named, the newest that suits the other is taken.

    Raises `RunError` where there is none, and `ConfigError` where two don't belong together.
    """
    named = load(forward) if forward is not None else None
    other = load(backward) if backward is not None else None
    one = named or _newest("forward", other)
    other = other or _newest("backward", one)
    for model, direction in ((one, "forward"), (other, "backward")):
        if model.corpus_config.direction != direction:
            raise ConfigError(
                f"{model.path} reads {model.corpus_config.direction}; a model that reads {direction} is needed"
            )
    if one.checkpoint.tokenizer.fingerprint() != other.checkpoint.tokenizer.fingerprint():
        raise ConfigError(
            f"{one.path} and {other.path} have different tokens; train both on the same text with the same tokenizer"
        )
    return Pair(forward=one, backward=other)


def _newest(direction: str, like: LoadedModel | None) -> LoadedModel:
    """The newest run that reads in a direction, with the tokens of another model."""
    for path in newest_models():
        try:
            found = load(path)
        except CharlmError:  # a run that is damaged, or of another charlm
            continue
        same = like is None or found.checkpoint.tokenizer.fingerprint() == like.checkpoint.tokenizer.fingerprint()
        if found.corpus_config.direction == direction and same:
            return found
    option = " --direction backward" if direction == "backward" else ""
    raise RunError(f"no model that reads {direction} in {RUNS}/ here; train one with `charlm train TEXT{option}`")

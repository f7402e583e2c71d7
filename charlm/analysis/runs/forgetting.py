"""How much a fine-tuned model has forgotten of the model that it began with."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from charlm.evaluation.spans.reading import parts_of_strings, read_parts
from charlm.evaluation.spans.scores import spans_of
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling.free_texts import free_texts
from charlm.tokenizers import Tokenizer

_CHARACTERS = 8_000

Network = tuple[LanguageModel, Tokenizer]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What two models make of text that the first has written, in bits per character."""

    before: float
    """Of the model that the other began with."""
    after: float
    """Of the fine-tuned model."""
    characters: int
    """Length of the text."""

    @property
    def bits_per_character(self) -> float:
        """What was forgotten: the Kullback-Leibler divergence of the fine-tuned model from the other, estimated."""
        return self.after - self.before

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self) | {"bits_per_character": self.bits_per_character}


def measure_forgetting(start: Network, model: Network, *, progress: Progress = silent) -> Forgotten:
    """Score text that the model to start from writes, at temperature 1 and with a fixed seed, with both models.

    That needs none of the text that it has learnt from. Characters that the fine-tuned model doesn't know cost what
    they do in `charlm.evaluation.score`.
    """
    texts = list(free_texts(*start, _CHARACTERS, progress=progress))
    before, after = (_bits(network, texts) for network in (start, model))
    characters = sum(map(len, texts))
    return Forgotten(before=before / characters, after=after / characters, characters=characters)


def _bits(network: Network, texts: list[str]) -> float:
    scores = spans_of(read_parts(*network, parts_of_strings(texts)), "document", with_ends=False)
    return math.fsum(score.nats for score in scores) / math.log(2)

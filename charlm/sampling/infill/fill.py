"""What could stand between two texts, by a model that reads from the left and one that reads from the right.

The lecture's bidirectional network sees both sides of a gap, but can't write. Two models, one for each direction, can:
each searches its way into the gap from its own side, what they find is joined where they meet, and both judge the
whole.
"""

import math
from dataclasses import dataclass
from typing import Any, get_args

from charlm.config import JsonConfig, Unknown, check_choice, check_range
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.infill.gap_search import find_extensions
from charlm.sampling.infill.join import join_extensions, reach_of
from charlm.sampling.infill.rerank import score_both
from charlm.tokenizers import Tokenizer

_NEAR = 16  # tokens beyond the gap by which joined texts are compared at first
_WHOLE = 64  # of the best of them, how many are judged with all there is, at least
_MOST_BYTES = 4_000_000_000  # that what is known of all pieces may take
_AROUND = 2  # characters from the middle of a filling within which its pieces may meet, at least


@dataclass(frozen=True, kw_only=True, slots=True)
class FillConfig(JsonConfig):
    """How a gap is filled."""

    length: int = 40
    """Most characters of a filling."""
    min_length: int = 1
    """Fewest characters of a filling."""
    beam: int = 256
    """How many beginnings of each length, and how many endings, are kept."""
    candidates: int = 512
    """How many joined texts both models judge."""
    unknown: Unknown = "error"
    """What a character outside the vocabulary does."""

    def __post_init__(self) -> None:
        check_range("--length", self.length, 0, 1000)
        check_range("--min-length", self.min_length, 0, 1000)
        check_range("--beam", self.beam, 1, 100_000)
        check_range("--candidates", self.candidates, 1, 1_000_000)
        check_choice("--unknown", self.unknown, get_args(Unknown))
        if self.min_length > self.length:
            raise ConfigError(f"--min-length is {self.min_length}; it must be at most --length, {self.length}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """A text for the gap, and what the models think of it."""

    text: str
    forward: float
    """Nats: the logarithm of the probability of the filling and the right text, given the left one."""
    backward: float
    """The same from the other side: of the filling and the left text, given the right one."""

    @property
    def score(self) -> float:
        """The mean of both, nats; higher is better. Nothing is made of the length: short fillings are likelier."""
        return (self.forward + self.backward) / 2

    def to_json(self) -> dict[str, Any]:
        """The text and its figures."""
        return {"text": self.text, "score": self.score, "forward": self.forward, "backward": self.backward}


def fill(
    forward: LanguageModel,
    backward: LanguageModel,
    tokenizer: Tokenizer,
    *,
    left: str,
    right: str,
    num: int = 5,
    config: FillConfig | None = None,
) -> list[Filling]:
    """The likeliest texts between two others that a search from both sides finds, the best first.

    Either model looks for the likeliest pieces of every length on its side of the gap (`find_extensions`). Every two that
    make a text of an allowed length about its middle are joined, and weighed by their own nats and those of the seam
    (`join_extensions`). The best are judged by both models, which read them with some text beyond the gap, and the best of
    these with all of it. There is no chance in it; with a wide enough beam and enough candidates nothing is missed.

    Args:
        forward: reads from left to right; in evaluation mode.
        backward: reads from right to left; in evaluation mode.
        tokenizer: of both.
        left: what stands before the gap; may be empty.
        right: what stands after it; must not be empty.
        num: how many; there may be fewer.
        config: lengths, and how wide the search is.

    Raises:
        ConfigError: the right text is empty, or a number is out of range.
        UnknownCharacterError: a text has a character outside the vocabulary and `config.unknown` is "error".
    """
    config = config or FillConfig()
    check_range("--num", num, 1, 10_000)
    if not right:
        raise ConfigError("--right is empty, so there is no gap to fill; `charlm sample` writes what follows a text")
    before, after = (tokenizer.encode(side, unknown=config.unknown).tolist() for side in (left, right))
    if not after:
        raise ConfigError(f"--right is {right!r}, of which the model knows nothing; give a text that it can read")
    needed = 8 * config.beam * tokenizer.vocab_size * reach_of(config.length, _AROUND)
    if needed > _MOST_BYTES:
        raise ConfigError(
            f"--beam {config.beam} with --length {config.length} takes {needed / 1e9:.0f} GB for a vocabulary of "
            f"{tokenizer.vocab_size:,}; give less of one"
        )
    texts = _candidates(forward, backward, tokenizer, before, after, config)

    def ranked(texts: list[str], near: int | None) -> list[Filling]:
        judged = score_both(
            forward, backward, tokenizer, texts, left=left, right=right, unknown=config.unknown, near=near
        )
        fillings = [Filling(text=text, forward=one, backward=other) for text, one, other in judged]
        return sorted(fillings, key=lambda filling: -filling.score)

    most = max(num, _WHOLE)
    if len(texts) > most:
        texts = [filling.text for filling in ranked(texts, _NEAR)[:most]]
    return ranked(texts, None)[:num]


def _candidates(
    forward: LanguageModel,
    backward: LanguageModel,
    tokenizer: Tokenizer,
    before: list[int],
    after: list[int],
    config: FillConfig,
) -> list[str]:
    """The texts to judge: what pieces from the tokens of both sides make, the best of all allowed lengths."""
    around = max(_AROUND, max(len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)) // 2 + 1)
    size = {"width": config.beam, "length": reach_of(config.length, around)}
    beginnings = find_extensions(forward, tokenizer, before, from_right=False, **size)
    endings = find_extensions(backward, tokenizer, after[::-1], from_right=True, **size)
    best: dict[str, float] = {}
    floor = -math.inf
    for length in range(config.min_length, config.length + 1):
        best |= join_extensions(beginnings, endings, length=length, num=config.candidates, around=around, floor=floor)
        best = dict(sorted(best.items(), key=lambda item: -item[1])[: config.candidates])
        if len(best) == config.candidates:
            floor = min(best.values())
    return list(best)

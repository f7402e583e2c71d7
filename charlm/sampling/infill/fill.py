"""Fills a gap between two texts, with a model that reads forwards and one that reads backwards.

A bidirectional network, as in the lecture, sees both sides of a gap but can't write. Two models, one for each reading
direction, can: the forward model extends the text before the gap, the backward model extends the text after it, these
beginnings and endings are joined, and both models score the results.
"""

import math
from dataclasses import dataclass
from typing import Any, get_args

from charlm.config import JsonConfig, Unknown, check_choice, check_range
from charlm.config.names import names_checked
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.infill.gap_search import find_extensions
from charlm.sampling.infill.join import join_extensions, longest_extension
from charlm.sampling.infill.rerank import score_both
from charlm.tokenizers import Tokenizer

_FIRST_PASS_TOKENS = 16  # beyond the gap, which the first scoring of all candidates includes
_FINALISTS = 64  # the least number of best candidates that are scored with the whole left and right text
_MAX_BYTES = 4_000_000_000  # of the log-probabilities of all extensions
_MIN_OFFSET = 2  # characters; how far from the middle of a filling the join may always be


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class FillConfig(JsonConfig):
    """Settings of a filling."""

    length: int = 40
    """Maximum number of characters of a filling."""
    min_length: int = 1
    """Minimum number of characters of a filling."""
    beam: int = 256
    """Beam width: partial fillings kept per length, from each side."""
    candidates: int = 512
    """How many joined texts both models score."""
    unknown: Unknown = "error"
    """How to treat characters outside the vocabulary."""

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
    """A text for the gap, with its scores."""

    text: str
    forward: float
    """Log-probability, by the forward model, of the filling and the right text given the left one, nats."""
    backward: float
    """Log-probability, by the backward model, of the filling and the left text given the right one, nats."""

    @property
    def score(self) -> float:
        """The mean of both, nats; higher is better. It is not corrected for length, so short fillings score higher."""
        return (self.forward + self.backward) / 2

    def to_json(self) -> dict[str, Any]:
        """The text and its scores."""
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
    """The likeliest texts for a gap, best first, by a search from both sides.

    Each model finds the likeliest extensions of every length on its side of the gap (`find_extensions`). A beginning
    and an ending are joined if the result has an allowed length and the join is near its middle, and are ranked by
    their nats and those across the join (`join_extensions`). Both models score the best results, first with some of the
    text beyond the gap, then the best of these with all of it. The search is deterministic, and exact with a wide
    enough beam and enough candidates.

    Args:
        forward: a model that reads forwards, in evaluation mode.
        backward: a model that reads backwards, in evaluation mode.
        tokenizer: the tokenizer of both models.
        left: the text before the gap; may be empty.
        right: the text after the gap; must not be empty.
        num: how many fillings; there may be fewer.
        config: the lengths of the filling, and the width of the search.

    Raises:
        ConfigError: the right text is empty or has no known character, or a number is out of range.
        UnknownCharacterError: a text has a character outside the vocabulary and `config.unknown` is "error".
    """
    config = config or FillConfig()
    check_range("--num", num, 1, 10_000)
    if not right:
        raise ConfigError("--right is empty; give the text after the gap, or continue a text with `charlm sample`")
    left, right = tokenizer.equivalent(left), tokenizer.equivalent(right)
    before, after = (tokenizer.encode(text, unknown=config.unknown).tolist() for text in (left, right))
    if not after:
        raise ConfigError(f"--right is {right!r}, which has no character that the model knows; give another text")
    needed = 8 * config.beam * tokenizer.vocab_size * longest_extension(config.length, _MIN_OFFSET)
    if needed > _MAX_BYTES:
        raise ConfigError(
            f"--beam {config.beam} with --length {config.length} needs {needed / 1e9:.0f} GB for a vocabulary of "
            f"{tokenizer.vocab_size:,}; lower one of them"
        )
    texts = _candidates(forward, backward, tokenizer, before, after, config)

    def rerank(texts: list[str], far_tokens: int | None) -> list[Filling]:
        scored = score_both(
            forward, backward, tokenizer, texts, left=left, right=right, unknown=config.unknown, far_tokens=far_tokens
        )
        fillings = [Filling(text=text, forward=nats, backward=backward_nats) for text, nats, backward_nats in scored]
        return sorted(fillings, key=lambda filling: -filling.score)

    finalists = max(num, _FINALISTS)
    if len(texts) > finalists:
        texts = [filling.text for filling in rerank(texts, _FIRST_PASS_TOKENS)[:finalists]]
    return rerank(texts, None)[:num]


def _candidates(
    forward: LanguageModel,
    backward: LanguageModel,
    tokenizer: Tokenizer,
    before: list[int],
    after: list[int],
    config: FillConfig,
) -> list[str]:
    """The best joined texts of all allowed lengths, given the tokens before and after the gap."""
    longest_token = max(len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size))
    max_offset = max(_MIN_OFFSET, longest_token // 2 + 1)  # a token may span the middle
    limits = {"width": config.beam, "length": longest_extension(config.length, max_offset)}
    beginnings = find_extensions(forward, tokenizer, before, from_right=False, **limits)
    endings = find_extensions(backward, tokenizer, after[::-1], from_right=True, **limits)
    best: dict[str, float] = {}
    floor = -math.inf
    for length in range(config.min_length, config.length + 1):
        best |= join_extensions(
            beginnings, endings, length=length, num=config.candidates, max_offset=max_offset, floor=floor
        )
        best = dict(sorted(best.items(), key=lambda item: -item[1])[: config.candidates])
        if len(best) == config.candidates:
            floor = min(best.values())
    return list(best)

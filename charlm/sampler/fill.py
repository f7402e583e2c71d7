"""What could stand between two texts, by a model that reads from the left and one that reads from the right.

The lecture's bidirectional network sees both sides of a gap, but can't write. Two models, one for each direction, can:
the first proposes what goes on from the left, and both judge it, each the whole of what it has not been given.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from charlm.config import check_range
from charlm.errors import ConfigError
from charlm.model import LanguageModel
from charlm.sampler.generate import write_many
from charlm.sampler.settings import SampleConfig
from charlm.tokenizers import Tokenizer

_CUTS = 3  # places of each proposal at which the right text may begin
_ROWS = 64  # texts scored at a time
_LOGITS = 1 << 24  # elements of the logits of one call, at most
_PAD = -100


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """A text for the gap, and what the models think of it."""

    text: str
    forward: float
    """Nats per character: the logarithm of the probability of the filling and the right text, given the left one."""
    backward: float
    """The same from the other side: of the filling and the left text, given the right one."""

    @property
    def score(self) -> float:
        """The mean of both, nats per character; higher is better."""
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
    seed: int,
    num: int = 5,
    candidates: int = 64,
    config: SampleConfig | None = None,
) -> list[Filling]:
    """Texts to stand between two others, the best first.

    Args:
        forward: reads from left to right; in evaluation mode.
        backward: reads from right to left; in evaluation mode.
        tokenizer: of both.
        left: what stands before the gap; may be empty.
        right: what stands after it; must not be empty.
        seed: of the first proposal.
        num: how many; there may be fewer.
        candidates: how many texts the forward model proposes; each is cut at the places where it finds the right text
            likeliest to begin.
        config: the controls of the proposals; `length` is that of the longest filling, `min_length` of the shortest.

    Raises:
        ConfigError: the right text is empty, or a number is out of range.
        UnknownCharacterError: a text has a character outside the vocabulary and `config.unknown` is "error".
    """
    check_range("--num", num, 1, 10_000)
    check_range("--candidates", candidates, 1, 10_000)
    if not right:
        raise ConfigError("--right is empty, so there is no gap to fill; `charlm sample` writes what follows a text")
    config = config or SampleConfig()
    first = next(iter(tokenizer.encode(right, unknown=config.unknown).tolist()), None)
    if first is None:
        raise ConfigError(f"--right is {right!r}, of which the model knows nothing; give a text that it can read")
    proposals = write_many(forward, tokenizer, seed=seed, num=candidates, batch=_ROWS, prefix=left, config=config)
    texts = list(
        dict.fromkeys(written.text[len(left) :] if config.prefix_in_output else written.text for written in proposals)
    )
    fillings: dict[str, None] = {}
    for text in texts:
        for end in _ends(forward, tokenizer, left, text, first, config):
            fillings[text[:end]] = None
    found = list(fillings)
    ahead = _log_probabilities(forward, tokenizer, [(left, text + right) for text in found], config, turned=False)
    behind = _log_probabilities(backward, tokenizer, [(right, left + text) for text in found], config, turned=True)
    scored = [
        Filling(
            text=text,
            forward=one / max(1, len(text) + len(right)),
            backward=other / max(1, len(text) + len(left)),
        )
        for text, one, other in zip(found, ahead, behind, strict=True)
    ]
    return sorted(scored, key=lambda filling: -filling.score)[:num]


@torch.inference_mode()
def _ends(
    model: LanguageModel, tokenizer: Tokenizer, left: str, text: str, following: int, config: SampleConfig
) -> list[int]:
    """The characters of a proposal after which the token `following` is likeliest, at most `_CUTS` places."""
    known = tokenizer.encode(left, unknown=config.unknown).tolist()
    own = tokenizer.encode(text, unknown=config.unknown).tolist()
    logits, _ = model(torch.tensor([tokenizer.bos, *known, *own]).unsqueeze(1))
    chances = torch.log_softmax(logits[len(known) :, 0], dim=-1)[:, following].numpy()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    length, lengths, broken = 0, [0], [False]  # characters before each place, and whether one is half done there
    for token in own:
        length += len(decoder.decode(tokenizer.token_bytes(token)))
        lengths.append(length)
        broken.append(bool(decoder.getstate()[0]))
    places = np.array(lengths)
    allowed = np.flatnonzero(~np.array(broken) & (places >= config.min_length) & (places <= len(text)))
    best = allowed[np.argsort(-chances[allowed], kind="stable")[:_CUTS]]
    return [lengths[place] for place in best]


@torch.inference_mode()
def _log_probabilities(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[tuple[str, str]],
    config: SampleConfig,
    *,
    turned: bool,
) -> list[float]:
    """Nats of the second of each pair given the first; `turned`, both are read from the right."""
    rows, given = [], []
    for known, text in texts:
        before, after = (tokenizer.encode(part, unknown=config.unknown).tolist() for part in (known, text))
        rows.append([tokenizer.bos, *(before[::-1] + after[::-1] if turned else before + after)])
        given.append(len(before))
    found: list[float] = []
    size = max(1, min(_ROWS, _LOGITS // (max(map(len, rows), default=1) * tokenizer.vocab_size)))
    for start in range(0, len(rows), size):
        part, lengths = rows[start : start + size], given[start : start + size]
        longest = max(map(len, part))
        ids = torch.tensor([row + [tokenizer.eos] * (longest - len(row)) for row in part]).T  # (T, B)
        targets = ids[1:].clone()
        for index, (row, length) in enumerate(zip(part, lengths, strict=True)):
            targets[:length, index] = _PAD
            targets[len(row) - 1 :, index] = _PAD
        logits, _ = model(ids[:-1])
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=_PAD, reduction="none")
        found += (-nats.view(targets.shape).double().sum(0)).tolist()
    return found

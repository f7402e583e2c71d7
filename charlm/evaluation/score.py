"""How well a model predicts a text: nats, perplexity, bits per character and bits per byte.

Every token is scored exactly once, given all tokens before it in its document. The cost of EOS counts towards its
document. A character outside the vocabulary is charged the cost of <unk> plus that of a uniform choice among all other
Unicode scalar values.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.data.dataset import TokenSplit
from charlm.data.windows import IGNORE, Window, document_windows
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

_ROWS = 64
_LOGITS = 1 << 24  # most logits of one window


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The score of a text."""

    documents: int
    tokens: int
    """Tokens scored: those of the text, and one EOS for each document."""
    characters: int
    bytes: int
    """Bytes of the text in UTF-8."""
    unknown_characters: int
    nats: float
    """Total nats of the text, including the cost of unknown characters."""
    words: int | None = None
    """Words, as `charlm.evaluation.words` counts them; None if they were not counted."""

    @property
    def nats_per_token(self) -> float:
        """Cross-entropy per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token); infinite above exp(700)."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 700 else math.inf

    @property
    def nats_per_character(self) -> float:
        """Nats per character, for any kind of tokens."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """Bits per character, for any kind of tokens."""
        return self.nats_per_character / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of the text in UTF-8, comparable across tokenizers and languages."""
        return self.nats / self.bytes / math.log(2)

    @property
    def perplexity_per_word(self) -> float | None:
        """exp(nats per word), for any kind of tokens; infinite above exp(700), None without words."""
        if self.words is None:
            return None
        per_word = self.nats / self.words
        return math.exp(per_word) if per_word < 700 else math.inf

    def _repr_html_(self) -> str:
        rows = {name: value for name, value in self.to_json().items() if value is not None}
        cells = (f"<tr><th>{name.replace('_', ' ')}</th><td>{_short(value)}</td></tr>" for name, value in rows.items())
        return f"<table>{''.join(cells)}</table>"

    def to_json(self) -> dict[str, Any]:
        """All metrics by name."""
        derived = (
            *("nats_per_token", "perplexity", "nats_per_character", "bits_per_character", "bits_per_byte"),
            "perplexity_per_word",
        )
        return asdict(self) | {name: getattr(self, name) for name in derived}


def _short(value: float) -> str:
    """A figure for a person."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def evaluate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    split: TokenSplit,
    *,
    cache: NeuralCacheConfig | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Score a whole split, exactly and in one pass.

    Args:
        model: the model to score, in evaluation mode; its own mode stays unchanged.
        tokenizer: the tokenizer that encoded the split.
        split: the split to score; must not be empty.
        cache: the neural cache to mix the model with, if any; see `charlm.evaluation.neural_cache`.
        progress: called with the number of tokens scored.
    """
    rows = min(_ROWS, split.facts.documents)
    width = max(1, min(2048, _LOGITS // (rows * tokenizer.vocab_size)))
    if cache is not None:
        width = min(width, max(1, _LOGITS // (rows * (cache.size + width))), 256)
    windows = document_windows(split, batch_size=rows, seq_len=width)
    scored = score(model, windows, NeuralCache(cache) if cache is not None else None)
    return summed(scored, tokenizer, split, progress)


def summed(scored: Iterable[Tensor], tokenizer: Tokenizer, split: TokenSplit, progress: Progress) -> Evaluation:
    """The score of a split from the nats of all its tokens, in any order; padding must be 0."""
    facts = split.facts
    nats = done = 0.0
    for window_nats in scored:
        nats += total(window_nats)
        done += window_nats.numel()
        progress("scoring", min(int(done), facts.tokens), facts.tokens)
    return Evaluation(
        documents=facts.documents,
        tokens=facts.tokens,
        characters=facts.characters,
        bytes=facts.bytes,
        unknown_characters=facts.unknown_characters,
        nats=nats + tokenizer.unknown_nats(facts.unknown_characters),
    )


def total(nats: Tensor) -> float:
    """The sum, in float64 unless the device lacks it."""
    return float(nats.sum(dtype=torch.float64 if nats.device.type != "mps" else None))


@torch.inference_mode()
def score(model: LanguageModel, windows: Iterable[Window], cache: NeuralCache | None = None) -> Iterator[Tensor]:
    """Nats of the targets of each window, (T, B); 0 at padded positions. The state carries from window to window."""
    device = model.output_bias.device
    was_training = model.training
    model.eval()
    try:
        states = None
        for window in windows:
            logits, hidden, states = model.read(window.ids.to(device), model.carry(states, window))
            yield nats_of(logits, window.targets.to(device)) if cache is None else cache.score(window, logits, hidden)
    finally:
        model.train(was_training)


def nats_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each target (T, B) under logits (T, B, V); 0 at padded positions."""
    nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
    return nats.view(targets.shape)

"""How well a model predicts a text: nats, perplexity, bits per character and bits per byte.

Every token is scored exactly once, given all that precedes it in its document. EOS is charged to its document. A
character outside the vocabulary costs <unk> plus a uniform code over all other Unicode scalar values.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn import functional as F

from charlm.dataset import TokenSplit
from charlm.model import LanguageModel, rows_of
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer
from charlm.windows import IGNORE, Window, document_windows

_ROWS = 64
_LOGITS = 1 << 24  # elements of one window's logits, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The score of a text."""

    documents: int
    tokens: int
    """Tokens scored: those of the text, and one EOS for each document."""
    characters: int
    bytes: int
    """Of the text in UTF-8."""
    unknown_characters: int
    nats: float
    """The whole text's, code for unknown characters included."""

    @property
    def nats_per_token(self) -> float:
        """Cross-entropy per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """exp of the nats per token."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 700 else math.inf

    @property
    def nats_per_character(self) -> float:
        """Nats over characters, whatever the tokens are."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """Bits over characters, whatever the tokens are."""
        return self.nats_per_character / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits over the bytes of the text in UTF-8: comparable across tokenizers and languages."""
        return self.nats / self.bytes / math.log(2)

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        derived = ("nats_per_token", "perplexity", "nats_per_character", "bits_per_character", "bits_per_byte")
        return asdict(self) | {name: getattr(self, name) for name in derived}


def evaluate(
    model: LanguageModel, tokenizer: Tokenizer, split: TokenSplit, *, progress: Progress = silent
) -> Evaluation:
    """Score a whole split, exactly and in one pass.

    Args:
        model: scored in evaluation mode, whatever mode it is in.
        tokenizer: the one that made the split.
        split: must not be empty.
        progress: told how many tokens are scored.
    """
    facts = split.facts
    rows = min(_ROWS, facts.documents)
    width = max(1, min(2048, _LOGITS // (rows * tokenizer.vocab_size)))
    windows = document_windows(split, batch_size=rows, seq_len=width)
    nats = done = 0.0
    for window_nats, tokens in score(model, windows):
        nats += window_nats
        done += tokens
        progress("scoring", int(done), facts.tokens)
    if facts.unknown_characters:
        nats += facts.unknown_characters * math.log(tokenizer.unseen_characters)
    return Evaluation(
        documents=facts.documents,
        tokens=facts.tokens,
        characters=facts.characters,
        bytes=facts.bytes,
        unknown_characters=facts.unknown_characters,
        nats=nats,
    )


@torch.inference_mode()
def score(model: LanguageModel, windows: Iterable[Window]) -> Iterator[tuple[float, int]]:
    """Nats and number of the targets of each window, the state carried from one to the next."""
    device = model.output_bias.device
    was_training = model.training
    model.eval()
    try:
        states = None
        for window in windows:
            states = None if window.fresh else rows_of(states, window.ids.shape[1]) if states is not None else None
            logits, states = model(window.ids.to(device), states)
            nats = F.cross_entropy(
                logits.flatten(0, 1), window.targets.to(device).flatten(), ignore_index=IGNORE, reduction="none"
            )
            yield float(nats.sum(dtype=torch.float64 if device.type != "mps" else None)), window.tokens
    finally:
        model.train(was_training)

"""How well a model predicts a text: nats, perplexity, bits per character and bits per byte.

Every token is scored exactly once, given all tokens before it in its document. The cost of EOS counts towards its
document. Of pairs the targets are scored, given their sources. A character outside the vocabulary is charged the cost
of <unk> plus that of a uniform choice among all other Unicode scalar values; a word outside the vocabulary is charged
for each byte of its spelling. `charlm.evaluation.nats` has the nats of the tokens.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import islice, tee
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charlm.data.encoded.parts import SplitFacts
from charlm.data.token_split import TokenSplit
from charlm.data.windows import Window, block_groups, block_windows
from charlm.evaluation.nats import (
    ROWS,
    Share,
    exact_sum,
    require_groups,
    unknown_nats,
    window_nats,
    window_width,
)
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer


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
    spelled_words: int = 0
    """Words outside the vocabulary of a model of words, which it spells."""
    spelling_nats: float = 0.0
    """The part of `nats` that spelling them costs, after the first byte of each."""

    @property
    def nats_per_token(self) -> float:
        """Cross-entropy per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token); infinite above exp(700)."""
        return perplexity(self.nats_per_token)

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
        return perplexity(self.nats / self.words)

    @property
    def perplexity_with_unk(self) -> float | None:
        """`perplexity_per_word` without `spelling_nats`: as papers define it, whose models read each word outside the
        vocabulary as <unk> and don't pay for its spelling."""
        return None if self.words is None else perplexity((self.nats - self.spelling_nats) / self.words)

    def _repr_html_(self) -> str:
        rows = {name: value for name, value in self.to_json().items() if value is not None}
        cells = (f"<tr><th>{name.replace('_', ' ')}</th><td>{_short(value)}</td></tr>" for name, value in rows.items())
        return f"<table>{''.join(cells)}</table>"

    def to_json(self) -> dict[str, Any]:
        """All metrics by name."""
        derived = (
            *("nats_per_token", "perplexity", "nats_per_character", "bits_per_character", "bits_per_byte"),
            "perplexity_per_word",
            "perplexity_with_unk",
        )
        return asdict(self) | {name: getattr(self, name) for name in derived}


def split_evaluation(facts: SplitFacts, nats: float) -> Evaluation:
    """The score of a split that costs `nats` in total."""
    return Evaluation(
        documents=facts.documents,
        tokens=facts.tokens,
        characters=facts.characters,
        bytes=facts.bytes,
        unknown_characters=facts.unknown_characters,
        nats=nats,
    )


def perplexity(nats: float) -> float:
    """exp(nats); infinite above exp(700)."""
    return math.exp(nats) if nats < 700 else math.inf


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
    processes: Processes | None = None,
) -> Evaluation:
    """Score a whole split, exactly and in one pass.

    Args:
        model: the model to score, in evaluation mode; its own mode stays unchanged.
        tokenizer: the tokenizer that encoded the split.
        split: the split to score; must not be empty.
        cache: the neural cache to mix the model with, if any; see `charlm.evaluation.neural_cache`.
        progress: called with the number of tokens scored.
        processes: those that score together, each its share of the groups of documents; None scores all in this one.
            The result is the same in all of them, and that of one process with as many threads.

    Raises `ConfigError` if there are more processes than groups of documents.
    """
    processes = processes or Processes()
    groups = sum(1 for _ in islice(block_groups(split, ROWS), processes.size))
    require_groups(groups, split.facts.documents, processes)
    windows = block_windows(split, batch_size=ROWS, width_for=window_width(tokenizer, cache), owns=Share(processes))
    windows, scored = tee(windows)
    nats = window_nats(model, scored, NeuralCache(cache) if cache is not None else None)
    return evaluation_of(zip(windows, nats, strict=True), tokenizer, split, progress, processes)


def evaluation_of(
    scored: Iterable[tuple[Window, Tensor]],
    tokenizer: Tokenizer,
    split: TokenSplit,
    progress: Progress,
    processes: Processes | None = None,
) -> Evaluation:
    """The score of a split from all its windows, in any order, with the nats of their targets, 0 for padding; each of
    several processes has windows of its own."""
    facts, processes = split.facts, processes or Processes()
    totals, spelling = [facts.unknown_characters * unknown_nats(tokenizer)] * processes.is_first, list[float]()
    done = spelled_words = 0
    for window, nats in scored:
        totals.append(exact_sum(nats))
        if tokenizer.splits_words:
            targets = window.targets.numpy()
            continues = tokenizer.continues_spelling(window.ids.numpy(), targets)
            spelling.append(exact_sum(nats.cpu()[torch.from_numpy(continues)]))
            spelled_words += int(np.count_nonzero(tokenizer.is_spelling(targets) & ~continues))
        done += nats.numel()
        progress("scoring", min(done * processes.size, facts.tokens), facts.tokens)
    (words,) = processes.total([spelled_words]).tolist()
    return replace(
        split_evaluation(facts, _sum_of_all(totals, processes)),
        spelled_words=int(words),
        spelling_nats=_sum_of_all(spelling, processes),
    )


def _sum_of_all(values: list[float], processes: Processes) -> float:
    """The sum of the values of all processes, rounded once, so that it doesn't depend on who has which."""
    nearest = math.fsum(values)
    if processes.size == 1:
        return nearest
    rest = math.fsum([*values, -nearest])
    return math.fsum(processes.concatenate(torch.tensor([nearest, rest], dtype=torch.float64)).tolist())

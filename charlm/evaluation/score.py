"""How well a model predicts a text: nats, perplexity, bits per character and bits per byte.

Every token is scored exactly once, given all tokens before it in its document. The cost of EOS counts towards its
document. Of pairs the targets are scored, given their sources. A character outside the vocabulary is charged the cost
of <unk> plus that of a uniform choice among all other Unicode scalar values; a word outside the vocabulary is charged
for each byte of its spelling.

Nats are rounded to multiples of 2^-26, so that sums of them are exact in float64 up to 134 million nats, in any order:
the scores of the parts of a text add up to the score of the text.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice, tee
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charlm.data.token_split import TokenSplit
from charlm.data.windows import IGNORE, Segments, Window, block_groups, block_windows
from charlm.errors import ConfigError
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

Floats = NDArray[np.float64]

ROWS = 64
"""Most documents that are scored side by side."""
_LOGITS = 1 << 24  # most logits of one window
_GRID = 1 << 26


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
        return _perplexity(self.nats_per_token)

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
        return _perplexity(self.nats / self.words)

    @property
    def perplexity_with_unk(self) -> float | None:
        """`perplexity_per_word` without `spelling_nats`: as papers define it, whose models read each word outside the
        vocabulary as <unk> and don't pay for its spelling."""
        return None if self.words is None else _perplexity((self.nats - self.spelling_nats) / self.words)

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


def _perplexity(nats: float) -> float:
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
    width_for = window_width(tokenizer)

    def width_with_cache(rows: int) -> int:
        assert cache is not None
        return min(width_for(rows), max(1, _LOGITS // (rows * (cache.size + width_for(rows)))), 256)

    width_for_rows = width_for if cache is None else width_with_cache
    windows = block_windows(split, batch_size=ROWS, width_for=width_for_rows, owns=Share(processes))
    windows, scored = tee(windows)
    nats = score(model, scored, NeuralCache(cache) if cache is not None else None)
    return summed(zip(windows, nats, strict=True), tokenizer, split, progress, processes)


class Share:
    """Which groups of documents a process scores: each goes to the one that has the fewest tokens so far."""

    def __init__(self, processes: Processes) -> None:
        self.groups = 0
        """Groups dealt out so far, to all processes."""
        self._rank, self._tokens = processes.rank, [0] * processes.size

    def __call__(self, group: Segments) -> bool:
        """Whether the next group belongs to this process."""
        owner = self._tokens.index(min(self._tokens))
        self._tokens[owner] += int(group.length.sum())
        self.groups += 1
        return owner == self._rank


def require_groups(groups: int, documents: int, processes: Processes) -> None:
    """Raise `ConfigError` if there are more processes than groups of documents, of which each is scored by one."""
    if processes.size <= groups:
        return
    if documents == 1:
        raise ConfigError(
            f"{processes.size} processes can't share a single document, which is scored from start to end; use one "
            "process, or cut the text with --documents or --separator"
        )
    raise ConfigError(
        f"{processes.size} processes can't share {documents:,} documents, which are scored in "
        f"{groups} {'group' if groups == 1 else 'groups'} of at most {ROWS}; start at most {groups} "
        f"{'process' if groups == 1 else 'processes'}"
    )


def window_width(tokenizer: Tokenizer) -> Callable[[int], int]:
    """The most tokens in a row of a window, for a number of rows."""
    return lambda rows: max(1, min(2048, _LOGITS // (rows * tokenizer.vocab_size)))


def summed(
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
        totals.append(total(nats))
        if tokenizer.splits_words:
            targets = window.targets.numpy()
            spells = tokenizer.spells(window.ids.numpy(), targets)
            spelling.append(total(nats.cpu()[torch.from_numpy(spells)]))
            spelled_words += int(np.count_nonzero(tokenizer.is_spelling(targets) & ~spells))
        done += nats.numel()
        progress("scoring", min(done * processes.size, facts.tokens), facts.tokens)
    (words,) = processes.total([spelled_words]).tolist()
    return Evaluation(
        documents=facts.documents,
        tokens=facts.tokens,
        characters=facts.characters,
        bytes=facts.bytes,
        unknown_characters=facts.unknown_characters,
        nats=_exact_sum(totals, processes),
        spelled_words=int(words),
        spelling_nats=_exact_sum(spelling, processes),
    )


def _exact_sum(values: list[float], processes: Processes) -> float:
    """The sum of the values of all processes, rounded once, so that it doesn't depend on who has which."""
    nearest = math.fsum(values)
    if processes.size == 1:
        return nearest
    rest = math.fsum([*values, -nearest])
    return math.fsum(processes.concatenate(torch.tensor([nearest, rest], dtype=torch.float64)).tolist())


def total(nats: Tensor) -> float:
    """The sum, exact for the rounded nats."""
    return float(on_grid(nats).sum())


def on_grid(nats: Tensor) -> Tensor:
    """Nats rounded to multiples of 2^-26, on the CPU."""
    return torch.round(nats.cpu().double() * _GRID) / _GRID


def unknown_nats(tokenizer: Tokenizer) -> float:
    """What an unknown character costs in addition to `unk`, rounded to a multiple of 2^-26."""
    return 0.0 if tokenizer.unk is None else round(tokenizer.unknown_nats(1) * _GRID) / _GRID


def token_nats(
    model: LanguageModel,
    tokenizer: Tokenizer,
    split: TokenSplit,
    progress: Progress = silent,
    *,
    share: Share | None = None,
) -> Floats:
    """The rounded nats of each token of a split, given those before it in its document, (N,); 0 for BOS and
    sources, and for the documents that do not belong to the share, if there is one."""
    nats, done = np.zeros(len(split)), 0
    owns = share or Share(Processes())
    windows = block_windows(split, batch_size=ROWS, width_for=window_width(tokenizer), owns=owns)
    for window, found in with_nats(model, windows):
        mask = window.mask.numpy()
        for row, start in enumerate(window.starts.tolist()):
            scored = np.flatnonzero(mask[:, row])
            nats[start + 1 + scored] = found[scored, row]
        done += window.tokens
        progress("scoring", done, split.facts.tokens)
    return nats


def with_nats(model: LanguageModel, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
    """Each window with the rounded nats of its targets, (T, B)."""
    windows, scored = tee(windows)
    for window, nats in zip(windows, score(model, scored), strict=True):
        yield window, on_grid(nats).numpy()


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

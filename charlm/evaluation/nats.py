"""The nats of every token of a text by a model, in windows; several processes can share the windows.

Nats are rounded to multiples of 2^-26, so that sums of them are exact in float64 up to 134 million nats, in any order:
the scores of the parts of a text add up to the score of the text.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import tee

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charlm.data.token_split import TokenSplit
from charlm.data.windows import IGNORE, Segments, Window, block_windows
from charlm.errors import ConfigError
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.processes.processes import Processes
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

Floats = NDArray[np.float64]

ROWS = 64
"""Most documents that are scored side by side."""
_LOGITS = 1 << 24  # most logits of one window
_GRID = 1 << 26


class Share:
    """Which groups of documents a process scores: each goes to the one that has the fewest tokens so far."""

    def __init__(self, processes: Processes) -> None:
        self._rank, self._tokens = processes.rank, [0] * processes.size

    def __call__(self, group: Segments) -> bool:
        """Whether the next group belongs to this process."""
        owner = self._tokens.index(min(self._tokens))
        self._tokens[owner] += int(group.length.sum())
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
        f"{processes.size} processes can't share {count_of(documents, 'document')}, which are scored in "
        f"{count_of(groups, 'group')} of at most {ROWS}; start at most {count_of(groups, 'process')}"
    )


@torch.inference_mode()
def window_nats(model: LanguageModel, windows: Iterable[Window], cache: NeuralCache | None = None) -> Iterator[Tensor]:
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


def with_nats(model: LanguageModel, windows: Iterable[Window]) -> Iterator[tuple[Window, Floats]]:
    """Each window with the rounded nats of its targets, (T, B)."""
    windows, scored = tee(windows)
    for window, nats in zip(windows, window_nats(model, scored), strict=True):
        yield window, on_grid(nats).numpy()


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


def window_width(tokenizer: Tokenizer, cache: NeuralCacheConfig | None = None) -> Callable[[int], int]:
    """The most tokens in a row of a window, for a number of rows; fewer with a neural cache, whose comparisons need
    memory too."""

    def width(rows: int) -> int:
        widest = max(1, min(2048, _LOGITS // (rows * tokenizer.vocab_size)))
        return widest if cache is None else min(widest, max(1, _LOGITS // (rows * (cache.size + widest))), 256)

    return width


def exact_sum(nats: Tensor) -> float:
    """The sum, exact for the rounded nats."""
    return float(on_grid(nats).sum())


def on_grid(nats: Tensor) -> Tensor:
    """Nats rounded to multiples of 2^-26, on the CPU."""
    return torch.round(nats.cpu().double() * _GRID) / _GRID


def unknown_nats(tokenizer: Tokenizer) -> float:
    """What an unknown character costs in addition to `unk`, rounded to a multiple of 2^-26."""
    return 0.0 if tokenizer.unk is None else round(tokenizer.unknown_nats(1) * _GRID) / _GRID

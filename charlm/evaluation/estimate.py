"""The score of a split, estimated from a sample of it.

An n-gram model finds the same tokens hard as the network does, and scoring the whole split with it is cheap. So the
sample only has to show by how much the two differ: the estimate is the n-gram model's loss on the whole split plus the
mean difference on the sample. Its error is a fifth of that of the sample's own loss (docs/notes/experiments.md).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from charlm.data.token_split import TokenSplit
from charlm.data.windows import IGNORE, Window, sample_windows
from charlm.evaluation.nats import exact_sum, window_nats
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.ngram.score import token_nats
from charlm.processes.processes import Processes
from charlm.tokenizers import Tokenizer

_ROWS = 64
_LOGITS = 1 << 22  # most logits of one window
_STRETCHES = 50  # in which the n-gram model scores a large split
_LEAD = 16  # tokens before a row that the n-gram model reads; more than its order


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """An estimated score of a split."""

    nats_per_token: float
    margin: float
    """Half the width of the 95% confidence interval, nats per token; 0 if the whole split was scored."""
    tokens: int
    """Targets scored."""


class SplitSample:
    """A fixed sample of a split, on which models are scored. Each of several processes scores its share of the rows."""

    def __init__(
        self,
        split: TokenSplit,
        tokenizer: Tokenizer,
        *,
        tokens: int,
        ngram: NgramModel | None,
        width: int = 256,
        ngram_tokens: int = 400_000,
        processes: Processes | None = None,
    ) -> None:
        """Choose the sample.

        Args:
            split: must not be empty.
            tokenizer: the tokenizer that encoded the split.
            tokens: about how many targets to score; all of the split, if it has no more.
            ngram: an n-gram model of the training split; None estimates from the sample alone.
            width: tokens in a row of a window, at most.
            ngram_tokens: how many tokens of the split the n-gram model scores at most.
            processes: the processes that score together; None scores all in this one.
        """
        self._processes = processes or Processes()
        facts, width = split.facts, max(1, min(width, _LOGITS // (_ROWS * tokenizer.vocab_size)))
        self._read = partial(sample_windows, split, tokens=tokens, batch_size=_ROWS, seq_len=width)
        self._unknown_nats = tokenizer.unknown_nats(facts.unknown_characters) / facts.tokens
        self._all_tokens = self.tokens = facts.tokens
        self._windows: list[Window] | None = None  # those of a whole split can be too many for the memory
        self._own_windows: list[Window] | None = None
        if tokens < facts.tokens:
            self._windows = windows = list(self._read())
            self._own_windows = list(self._shares(windows))
            self.tokens = sum(window.tokens for window in windows)
            self._targets = _by_row(windows, [window.mask.sum(0).numpy() for window in windows])
            self._ngram_nats, self._ngram_mean = np.zeros(len(self._targets)), 0.0
            if ngram is not None:
                self._ngram_nats = _by_row(windows, [_ngram_nats(ngram, split, window) for window in windows])
                self._ngram_mean = _ngram_mean(ngram, split, ngram_tokens)

    def windows(self) -> Iterable[Window]:
        """Windows whose targets are the sample, with the rows that this process scores."""
        return self._own_windows if self._own_windows is not None else self._shares(self._read())

    def _shares(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The rows of this process; windows without any are left out."""
        for window in windows:
            own = window if self._processes.size == 1 else window.share(self._processes.rows)
            if own.ids.shape[1]:
                yield own

    def estimate(self, model: LanguageModel) -> Estimate:
        """The score of the split; a character outside the vocabulary costs what it does in `evaluate`.

        The estimate is y + (X - x), with the mean losses on the sample of the network, y, and the n-gram model, x, and
        that of the n-gram model on the split, X.

        Source: Cochran 1977, Sampling Techniques, section 7.3 (regression estimate with b = 1) and, for the interval,
        equation 6.13 (ratio of two sums over clusters), a cluster being a row.
        """
        if self._windows is None:
            (nats,) = self._processes.total([sum(map(exact_sum, window_nats(model, self.windows())))]).tolist()
            return Estimate(nats_per_token=nats / self.tokens + self._unknown_nats, margin=0.0, tokens=self.tokens)
        differences = _by_row(self._windows, self._row_nats(model, self._windows)) - self._ngram_nats
        mean, rows = float(differences.sum()) / self.tokens, len(differences)
        residuals = differences - mean * self._targets
        variance = float((residuals**2).sum()) * rows / max(1, rows - 1) / self.tokens**2
        return Estimate(
            nats_per_token=mean + self._ngram_mean + self._unknown_nats,
            margin=1.96 * math.sqrt(variance * (1 - self.tokens / self._all_tokens)),
            tokens=self.tokens,
        )

    def _row_nats(self, model: LanguageModel, windows: list[Window]) -> list[NDArray[np.float64]]:
        """The network's nats of each row of each window, (B,), from all processes."""
        sums = [np.zeros(len(window.starts)) for window in windows]
        own = [values[self._processes.rows] for values in sums]
        filled = (values for values in own if len(values))
        for values, nats in zip(filled, window_nats(model, self.windows()), strict=True):
            values[:] = nats.cpu().double().sum(0).numpy()
        totals = self._processes.total(np.concatenate(sums))
        return np.split(totals, np.cumsum([len(values) for values in sums])[:-1])


def _by_row(windows: list[Window], values: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Sums over the windows of each row; `values` has a number for each row of each window."""
    rows: list[NDArray[np.float64]] = []
    for window, own in zip(windows, values, strict=True):
        if window.fresh:
            rows.append(np.zeros(len(own)))
        rows[-1][: len(own)] += own.astype(np.float64)
    return np.concatenate(rows)


def _ngram_nats(ngram: NgramModel, split: TokenSplit, window: Window) -> NDArray[np.float64]:
    """The n-gram model's nats of the targets in each row of a window, (B,)."""
    counts = (window.targets != IGNORE).numpy()
    sums = []
    for row, start in enumerate(window.starts.tolist()):
        first, length = max(0, start - _LEAD), len(counts)
        nats = token_nats(ngram, split.read(first, min(len(split), start + length + 1)))[start - first + 1 :]
        sums.append(float(nats[counts[: len(nats), row]].sum()))
    return np.array(sums)


def _ngram_mean(ngram: NgramModel, split: TokenSplit, most_tokens: int) -> float:
    """The n-gram model's nats per token on a split; of a larger one than `most_tokens` on stretches spread over it."""
    length, stretches = len(split), 1
    if length > most_tokens:
        length, stretches = most_tokens // _STRETCHES, _STRETCHES
    nats, tokens = 0.0, 0
    for start in np.linspace(0, len(split) - length, stretches).astype(np.int64).tolist():
        ids = split.read(start, start + length)
        predicted = split.predicted(start, start + length)
        nats += float(token_nats(ngram, ids)[predicted].sum())
        tokens += int(np.count_nonzero(predicted))
    return nats / tokens

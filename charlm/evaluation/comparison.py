"""How models compare on the same text: the nats of each character, and intervals for the differences."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.config import SplitName
from charlm.data.corpus import Corpus
from charlm.data.dataset import TokenSplit, make_dataset
from charlm.data.windows import document_windows
from charlm.evaluation.score import score
from charlm.evaluation.words import count_words
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

Floats = NDArray[np.float64]

_ROWS = 64
_LOGITS = 1 << 24  # most logits of one window
_RESAMPLES = 2000
_BLOCK = 1000  # characters of a block of the bootstrap, unless that makes too few or too many blocks:
_BLOCKS = (100, 5000)
_TWO_SIDED = 1.96  # standard deviations of a normal distribution that 95% lies within

SEED_DEVIATION = 0.002
"""Standard deviation, as a fraction of the loss, between runs that differ only in their seed: the largest on six texts.
On a seventh it is 0.04 (docs/notes/experiments.md, "Chance in training")."""


def character_nats(
    model: LanguageModel, tokenizer: Tokenizer, split: TokenSplit, text: str, *, progress: Progress = silent
) -> Floats:
    """The nats of each character of a split, (C,).

    A token's nats belong to the character that it completes, and those of EOS to the last character of its document.
    The sum is `Evaluation.nats`, up to rounding.

    Args:
        model: scored in evaluation mode.
        tokenizer: the tokenizer that encoded the split.
        split: must not be empty.
        text: all documents of the split, joined, C characters.
        progress: called with the number of tokens scored.
    """
    ids = split.ids.astype(np.int64)
    nats: Floats = _token_nats(model, tokenizer, split, progress)
    if tokenizer.unk is not None:
        nats[ids == tokenizer.unk] += tokenizer.unknown_nats(1)
    ends = np.flatnonzero(ids == tokenizer.eos)
    nats[ends - 1] += nats[ends]
    inside = (ids != tokenizer.eos) & (ids != tokenizer.bos)
    ids, nats = ids[inside], nats[inside]
    if tokenizer.unk is not None:  # every character is a token
        return nats
    sizes = np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)])
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    character_of_byte = np.cumsum((data & 0xC0) != 0x80) - 1
    places = character_of_byte[np.maximum(np.cumsum(sizes[ids]) - 1, 0)]
    by_character: Floats = np.bincount(places, weights=nats, minlength=len(text)).astype(np.float64)
    return by_character


def _token_nats(model: LanguageModel, tokenizer: Tokenizer, split: TokenSplit, progress: Progress) -> Floats:
    """The nats of each token of a split, given those before it in its document, (N,); 0 for BOS."""
    rows = min(_ROWS, split.facts.documents)
    width = max(1, min(2048, _LOGITS // (rows * tokenizer.vocab_size)))
    nats, done = np.zeros(len(split)), 0
    windows, scored = (document_windows(split, batch_size=rows, seq_len=width) for _ in range(2))
    for window, found in zip(windows, score(model, scored), strict=True):
        counts, values = window.mask.numpy(), found.to("cpu", torch.float64).numpy()
        for row, start in enumerate(window.starts.tolist()):
            length = int(counts[:, row].sum())
            nats[start + 1 : start + 1 + length] = values[:length, row]
        done += window.tokens
        progress("scoring", done, split.facts.tokens)
    return nats


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The mean difference between two models, nats per character; positive if the first needs more.

    Each interval is a 95% confidence interval.
    """

    mean: float
    text_low: float
    """Lower end of the interval for other texts of the same kind."""
    text_high: float
    low: float
    """Lower end of the interval for other texts of the same kind and other seeds of the training."""
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval for other texts and seeds excludes 0."""
        return self.low > 0 or self.high < 0

    @property
    def is_clear_on_the_text(self) -> bool:
        """Whether the interval for other texts excludes 0."""
        return self.text_low > 0 or self.text_high < 0


def difference(first: Floats, second: Floats, *, seed: int = 1) -> Difference:
    """The mean of `first - second`, with intervals for other texts of the same kind and length, and for other seeds.

    Neighbouring characters are not independent, so whole blocks of the text are drawn, with the ends joined: the
    circular block bootstrap with 2,000 resamples (Politis and Romano 1992; percentile interval of Efron 1979). How much
    another seed would change the loss can't be known from one run of each; `SEED_DEVIATION` is what it was on other
    texts. The two parts are independent, so their distances from the mean are added as squares (Zou and Donner 2008).

    Args:
        first: nats of each character under one model, (C,).
        second: the same under another model.
        seed: of the resamples.
    """
    differences = first - second
    count, mean = len(differences), float(differences.mean())
    fewest, most = _BLOCKS
    block = max(1, min(_BLOCK, count // fewest), count // most)
    blocks = -(-count // block)
    sums = np.concatenate(([0.0], np.cumsum(np.concatenate((differences, differences[:block])))))
    starts = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, blocks))
    means = (sums[starts + block] - sums[starts]).sum(1) / (blocks * block)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    training = _TWO_SIDED * SEED_DEVIATION * math.hypot(float(first.mean()), float(second.mean()))
    return Difference(
        mean=mean,
        text_low=low,
        text_high=high,
        low=mean - math.hypot(mean - low, training),
        high=mean + math.hypot(high - mean, training),
    )


def document_nats(nats: Floats, lengths: NDArray[np.int64]) -> Floats:
    """The nats of each document, (D,), from those of each character; `lengths` are the characters of each, above 0."""
    return np.add.reduceat(nats, np.cumsum(lengths) - lengths)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The same text scored by several models."""

    text: str
    """All documents, joined; C characters."""
    words: int
    lengths: NDArray[np.int64]
    """Characters of each document, (D,)."""
    nats: tuple[Floats, ...]
    """For each model, the nats of each character, (C,)."""
    seconds: tuple[float, ...]
    """For each model, the time that scoring took."""

    @property
    def characters(self) -> int:
        """C."""
        return len(self.text)

    @property
    def best(self) -> int:
        """The model that needs the fewest nats."""
        return int(np.argmin([nats.sum() for nats in self.nats]))

    def difference(self, first: int, second: int) -> Difference:
        """By how much the first model needs more nats per character than the second."""
        return difference(self.nats[first], self.nats[second])

    def documents_won(self) -> list[int]:
        """For each model, the number of documents that it predicts best; ties count for the first of them."""
        by_model = np.stack([document_nats(nats, self.lengths) for nats in self.nats])
        won: list[int] = np.bincount(by_model.argmin(0), minlength=len(self.nats)).tolist()
        return won


def compare(
    networks: Sequence[tuple[LanguageModel, Tokenizer]],
    corpus: Corpus,
    split: SplitName,
    *,
    progress: Progress = silent,
) -> Comparison:
    """Score a split of a text with each network and its tokenizer.

    Raises `CorpusError` if the split is empty, or the text can't be read.
    """
    documents = [*corpus.split_documents(split)]
    text, nats, seconds = "".join(documents), [], []
    for model, tokenizer in networks:
        part = make_dataset(corpus, tokenizer, progress=progress).split(split)
        started = time.perf_counter()
        nats.append(character_nats(model, tokenizer, part, text, progress=progress))
        seconds.append(time.perf_counter() - started)
    return Comparison(
        text=text,
        words=count_words(documents),
        lengths=np.array([len(document) for document in documents], dtype=np.int64),
        nats=tuple(nats),
        seconds=tuple(seconds),
    )

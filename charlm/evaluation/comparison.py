"""How models compare on the same text: the nats of each character, and intervals for the differences."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.config import SplitName
from charlm.data.corpus import Corpus
from charlm.data.dataset import make_dataset
from charlm.data.documents import Part
from charlm.data.token_split import TokenSplit
from charlm.evaluation.nats import Floats, token_nats
from charlm.evaluation.spans.characters import Characters
from charlm.evaluation.words import count_words
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

LEAST_CHARACTERS = 1000
"""The shortest text that can tell two models apart: a tenth of it, a block of the bootstrap, is a sentence or two."""

_RESAMPLES = 2000
_BLOCK = 1000  # characters of a block of the bootstrap, unless that makes too few or too many blocks:
_BLOCKS = (10, 5000)
_TWO_SIDED = 1.96  # standard deviations of a normal distribution that 95% lies within

SEED_DEVIATION = 0.002
"""Standard deviation, as a fraction of the loss, between runs that differ only in their seed: the largest on six texts.
On a seventh it is 0.04 (docs/notes/experiments.md, "Chance in training")."""


def character_nats(
    model: LanguageModel, tokenizer: Tokenizer, split: TokenSplit, text: str, *, progress: Progress = silent
) -> Floats:
    """The nats of each character of a split, (C,).

    A token's nats belong to the character that it completes, and those of EOS to the last character of its document.
    The exact sum is `Evaluation.nats`.

    Args:
        model: scored in evaluation mode.
        tokenizer: the tokenizer that encoded the split.
        split: must not be empty.
        text: all documents of the split, joined, C characters.
        progress: called with the number of tokens scored.
    """
    ids, nats = split.ids.astype(np.int64), token_nats(model, tokenizer, split, progress)
    characters = Characters(tokenizer)
    counted = split.predicted(0, len(split))
    is_text = counted & (ids != tokenizer.eos)
    places = characters.completed(ids[is_text], text)
    by_character = characters.sums(ids[is_text], nats[is_text], places, len(text)).nats
    is_end = counted & (ids == tokenizer.eos)
    tokens_before = np.cumsum(is_text)[is_end]
    by_character[places[tokens_before - 1]] += nats[is_end]
    return by_character


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The mean difference between two models, nats per character; positive if the first needs more.

    Each interval is a 95% confidence interval; it is infinite for a text with fewer than `LEAST_CHARACTERS`.
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
    circular block bootstrap with 2,000 resamples (Politis and Romano 1992; percentile interval of Efron 1979). It is
    too narrow for the few blocks of a short text, and is widened for their number (to the same end as the expanded
    percentile interval of Hesterberg 2015, arXiv 1411.5279). How much another seed would change the loss can't be known
    from one run of each; `SEED_DEVIATION` is what it was on other texts. The two parts are independent, so their
    distances from the mean are added as squares (Zou and Donner 2008).

    Args:
        first: nats of each character under one model, (C,).
        second: the same under another model.
        seed: of the resamples.
    """
    differences = first - second
    count, mean = len(differences), float(differences.mean())
    if count < LEAST_CHARACTERS:
        return Difference(mean=mean, text_low=-math.inf, text_high=math.inf, low=-math.inf, high=math.inf)
    fewest, most = _BLOCKS
    block = max(min(_BLOCK, count // fewest), count // most)
    blocks = -(-count // block)
    sums = np.concatenate(([0.0], np.cumsum(np.concatenate((differences, differences[:block])))))
    starts = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, blocks))
    means = (sums[starts + block] - sums[starts]).sum(1) / (blocks * block)
    low, high = (mean + _widening(blocks) * (np.quantile(means, (0.025, 0.975)) - mean)).tolist()
    training = _TWO_SIDED * SEED_DEVIATION * math.hypot(float(first.mean()), float(second.mean()))
    return Difference(
        mean=mean,
        text_low=low,
        text_high=high,
        low=mean - math.hypot(mean - low, training),
        high=mean + math.hypot(high - mean, training),
    )


def _widening(blocks: int) -> float:
    """How much wider a 95% interval of the mean of some independent values is than their bootstrap says.

    The quantile of Student's t is that of Abramowitz and Stegun 1964, equation 26.7.5, to two terms.
    """
    z, freedom = _TWO_SIDED, blocks - 1
    quantile = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return quantile / z * math.sqrt(blocks / freedom)


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
        part = make_dataset(corpus, tokenizer, labels=model.config.labels, progress=progress).split(split)
        started = time.perf_counter()
        nats.append(character_nats(model, tokenizer, part, text, progress=progress))
        seconds.append(time.perf_counter() - started)
    return Comparison(
        text=text,
        words=count_words([Part(documents, True)]),
        lengths=np.array([len(document) for document in documents], dtype=np.int64),
        nats=tuple(nats),
        seconds=tuple(seconds),
    )

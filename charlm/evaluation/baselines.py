"""Scores of simple predictors on the text that a network is scored on: n-grams, single tokens, uniform, gzip and xz.

Each knows only the training split and is charged like the network (see `charlm.evaluation.score`): for every token of
the text, one EOS per document, and for an unknown character <unk> and a uniform code over all other characters.
"""

import logging
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charlm.data.token_split import TokenSplit
from charlm.ngram.counts import NgramCounts, count_ngrams
from charlm.ngram.model import NgramModel
from charlm.ngram.score import TokenSequence, total_nats
from charlm.nouns import count_of
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

MAX_ORDER = 8
"""The highest order tried."""
MAX_TOKENS = 10_000_000
"""Tokens counted, from the end of the training split: a gigabyte of memory and about ten seconds."""
MAX_BYTES = 1 << 23
"""Bytes of the training split and of the text that are compressed: the size of xz's dictionary."""

_SELECTION_TOKENS = 200_000  # by which the order is chosen
_CHUNK = 1 << 20  # tokens or bytes at a time
_DOCUMENT_END = b"\0"  # no text contains it


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The score of one predictor."""

    nats: float
    """Nats of the whole text, or of its compressed part, including the code for unknown characters."""
    characters: int
    order: int | None = None
    """Order of the n-gram model."""

    @property
    def bits_per_character(self) -> float:
        """Bits per character, as in `Evaluation.bits_per_character`."""
        return self.nats / self.characters / math.log(2)

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        values: dict[str, Any] = {"bits_per_character": self.bits_per_character}
        return values if self.order is None else values | {"order": self.order}


def measure_baselines(
    tokenizer: Tokenizer, *, train: TokenSplit, valid: TokenSplit, text: TokenSplit, progress: Progress = silent
) -> dict[str, Baseline]:
    """Score a text with each predictor: `ngram`, `unigram`, `uniform`, `gzip` and `xz`.

    The n-gram is the modified Kneser-Ney model of `charlm.ngram.model`, with the order up to 8 that is best on the
    validation split. If that is empty, it is the order that is best on the last tenth of the training split when the
    model is fitted to the rest. The unigram is (count + 1) / (tokens + V - 1) and uniform is 1 / (V - 1), since BOS is
    never predicted. The compressors are charged the bytes that the text adds after the training split.

    Args:
        tokenizer: the tokenizer that encoded the splits.
        train: the split that the predictors learn from; only the end of a large split (`MAX_TOKENS`, `MAX_BYTES`).
        valid: the split that the order is chosen on; may be empty.
        text: the text to predict, which must not be empty; the compressors get only the start of a large text
            (`MAX_BYTES`).
        progress: called with the work done in counting, scoring and compressing.
    """
    facts = text.facts
    known = train.tail(MAX_TOKENS)
    if len(known) < len(train):
        logger.warning("n-gram and unigram use only the last %s of the training split", count_of(len(known), "token"))
    unknown = tokenizer.unknown_nats(facts.unknown_characters)
    model = best_ngram(tokenizer, known, valid[:_SELECTION_TOKENS], progress=progress)
    counts, seen = _token_counts(text, tokenizer), _token_counts(known, tokenizer)
    ngram = total_nats(model, text, progress=progress)
    unigram = -float(counts @ np.log((seen + 1) / (seen.sum() + tokenizer.vocab_size - 1)))
    uniform = facts.tokens * math.log(tokenizer.vocab_size - 1)
    return {
        "ngram": Baseline(nats=ngram + unknown, characters=facts.characters, order=model.order),
        "unigram": Baseline(nats=unigram + unknown, characters=facts.characters),
        "uniform": Baseline(nats=uniform + unknown, characters=facts.characters),
    } | _compress(tokenizer, train, text, progress)


def best_ngram(
    tokenizer: Tokenizer, ids: NDArray[Any], held_out: NDArray[Any], *, progress: Progress = silent
) -> NgramModel:
    """The n-gram model of `ids` with the order that is best on the start of `held_out`.

    If that is empty, it is the order that is best on the last tenth of `ids` when the model is fitted to the rest.
    """

    def count(ids: NDArray[Any]) -> NgramCounts:
        vocab_size, bos = tokenizer.vocab_size, tokenizer.bos
        return count_ngrams(ids, order=MAX_ORDER, vocab_size=vocab_size, bos=bos, progress=progress)

    if len(held_out):
        counts, held_out = count(ids), held_out[:_SELECTION_TOKENS]
        return min(_models(counts, progress), key=lambda model: total_nats(model, held_out))
    cut = len(ids) - len(ids) // 10
    order = min(
        _models(count(ids[:cut]), progress), key=lambda model: total_nats(model, ids[cut:][:_SELECTION_TOKENS])
    ).order
    return NgramModel.from_counts(count(ids), order=order)


def _models(counts: NgramCounts, progress: Progress) -> Iterator[NgramModel]:
    for order in range(1, counts.order + 1):
        progress("choosing the order", order, counts.order)
        yield NgramModel.from_counts(counts, order=order)


def _token_counts(ids: TokenSequence, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Occurrences of each token, 0 for BOS, (V,)."""
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    for start in range(0, len(ids), _CHUNK):
        counts += np.bincount(ids[start : start + _CHUNK], minlength=tokenizer.vocab_size)
    counts[tokenizer.bos] = 0
    return counts


def _compress(tokenizer: Tokenizer, train: TokenSplit, text: TokenSplit, progress: Progress) -> dict[str, Baseline]:
    bytes_of = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    bytes_of[tokenizer.eos] = _DOCUMENT_END
    lengths = np.array([len(token) for token in bytes_of])

    def text_of(ids: NDArray[Any]) -> bytes:
        return b"".join(map(bytes_of.__getitem__, ids.tolist()))

    before = text_of(train.tail(MAX_BYTES))[-MAX_BYTES:]
    ids = text.ids[:MAX_BYTES]
    ids = ids[: np.searchsorted(np.cumsum(lengths[ids]), MAX_BYTES, side="right")]
    after = text_of(ids)
    characters, unknown = text.facts.characters, text.facts.unknown_characters
    if len(ids) < len(text):
        logger.warning("gzip and xz use only the first %s of the text", count_of(len(after), "byte"))
        characters = len(after.decode(errors="replace")) - after.count(_DOCUMENT_END)
        unknown = tokenizer.count_unknown(ids)
    scores = {}
    for name, compressor in _compressors().items():
        added = _size(compressor(), before + after, name, progress) - _size(compressor(), before, name, progress)
        nats = 8 * math.log(2) * added + tokenizer.unknown_nats(unknown)
        scores[name] = Baseline(nats=nats, characters=characters)
    return scores


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _compressors() -> dict[str, Callable[[], _Compressor]]:
    """Compressors that write the same file as the program of that name: gzip -9, and xz with its defaults."""
    compressors: dict[str, Callable[[], _Compressor]] = {"gzip": lambda: zlib.compressobj(9, zlib.DEFLATED, 31)}
    try:
        import lzma
    except ImportError:
        logger.warning("this Python was built without xz (the module lzma), so xz is skipped")
        return compressors
    return compressors | {"xz": lzma.LZMACompressor}


def _size(compressor: _Compressor, data: bytes, name: str, progress: Progress) -> int:
    """The compressed length of `data` in bytes."""
    size = 0
    for start in range(0, len(data), _CHUNK):
        size += len(compressor.compress(data[start : start + _CHUNK]))
        progress(f"compressing with {name}", min(start + _CHUNK, len(data)), len(data))
    return size + len(compressor.flush())

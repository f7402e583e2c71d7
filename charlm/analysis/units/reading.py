"""A model's reading of a text: the bits of each token, the likeliest alternatives, and the values of a unit."""

import codecs
import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.units.activations import follow
from charlm.cells import LayerStates
from charlm.config import Unknown, check_range
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit
from charlm.nouns import count_of
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a model predicted at each of the N tokens of a text."""

    ids: NDArray[np.int64]
    """(N,)."""
    texts: tuple[str, ...]
    """The text of each token, N of them; joined they give the whole text. A character of several tokens belongs to the
    last of them."""
    bits: NDArray[np.float32]
    """-log2 p of each token given those before it, (N,). An unknown character is charged as in
    `charlm.evaluation.score`."""
    likeliest: NDArray[np.int64]
    """The K likeliest tokens at each position, (N, K), the likeliest first."""
    probabilities: NDArray[np.float32]
    """The probabilities of `likeliest`, (N, K)."""
    values: NDArray[np.float32] | None
    """The unit's value after each token, or the gate's value at it, (N,); None if no unit was requested."""


@torch.inference_mode()
def read(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str,
    *,
    unit: Unit | None = None,
    alternatives: int = 5,
    tokens: int | None = None,
    unknown: Unknown = "error",
    window: int = 1024,
    progress: Progress = silent,
) -> Reading:
    """Let a model read a text, starting from BOS and the source, if it has one.

    Args:
        model: a model in evaluation mode, on the CPU.
        tokenizer: the tokenizer of the model.
        text: the text to read; must not be empty.
        unit: the unit or gate whose values to record.
        alternatives: K, how many likely tokens to record at each position.
        tokens: how many tokens to read at most, from the beginning of the text; None reads all.
        unknown: how to treat a character outside the vocabulary.
        window: tokens read at a time.
        progress: receives how many tokens are read.

    Raises:
        ConfigError: the text is empty, `tokens` is out of range, or the model has no such unit or gate.
        UnknownCharacterError: the text has a character outside the vocabulary and `unknown` is "error".
    """
    if unit is not None:
        unit.require_in(model)
    ids = _encoded(tokenizer, text, tokens, unknown)
    *first, last = [tokenizer.bos, *model.source]
    stream = torch.from_numpy(np.concatenate(([last], ids)))
    count = min(alternatives, tokenizer.vocab_size)
    bits, likeliest, probabilities, values = [], [], [], []
    states: LayerStates | None = None
    for start in range(0, len(first), window):
        states = model(torch.tensor(first[start : start + window])[:, None], states)[1]
    for start in range(0, len(ids), window):
        chunk = stream[start : start + window + 1]
        before = states
        logits, states = model(chunk[:-1, None], states)
        log_p = torch.log_softmax(logits[:, 0], dim=-1)
        costs = -log_p.gather(1, chunk[1:, None])[:, 0] / math.log(2)
        if tokenizer.unk is not None:  # plus the code for which character it was, as in `charlm.evaluation.score`
            costs += torch.where(chunk[1:] == tokenizer.unk, math.log2(tokenizer.unseen_characters), 0.0)
        bits.append(costs)
        best = log_p.topk(count, dim=-1)
        likeliest.append(best.indices)
        probabilities.append(best.values.exp())
        if unit is not None:
            values.append(_values(model, chunk[:-1], before, unit))
        progress("reading", min(start + window, len(ids)), len(ids))
    if unit is not None:  # values are those after a token, so the last token still has to be read
        values.append(_values(model, stream[-1:], states, unit))
    return Reading(
        ids=ids,
        texts=completed_texts(tokenizer, ids),
        bits=torch.cat(bits).numpy(),
        likeliest=torch.cat(likeliest).numpy(),
        probabilities=torch.cat(probabilities).numpy(),
        values=torch.cat(values)[1:].numpy() if unit is not None else None,
    )


def _encoded(tokenizer: Tokenizer, text: str, tokens: int | None, unknown: Unknown) -> NDArray[np.int64]:
    """The tokens of a text, (N,), as `read` describes them."""
    if tokens is not None:
        check_range("--tokens", tokens, 1, 100_000_000)
    ids = tokenizer.encode(text, unknown=unknown).astype(np.int64)
    if len(ids) == 0:
        raise ConfigError("there is no text to read; give a text that isn't empty")
    if tokens is not None and len(ids) > tokens:
        logger.warning(
            "reading only the first %s of %s; --tokens sets how many", f"{tokens:,}", count_of(len(ids), "token")
        )
        ids = ids[:tokens]
    return ids


def _values(model: LanguageModel, ids: torch.Tensor, states: LayerStates | None, unit: Unit) -> torch.Tensor:
    """The unit's value after each token, (T,)."""
    before = states if states is not None else model.initial_state(1)
    layers, _ = follow(model, ids[:, None], before, layers=unit.layer + 1, gates=unit.gate is not None)
    return layers[unit.layer][unit.series][:, 0, unit.number]


def completed_texts(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> tuple[str, ...]:
    """The text of each token, at least one; a character of several tokens belongs to the last of them."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    token_bytes = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    texts = [decoder.decode(token_bytes[token]) for token in ids.tolist()]
    texts[-1] += decoder.decode(b"", True)
    return tuple(texts)

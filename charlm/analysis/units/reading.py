"""A model reading a text: how unexpected each token was, what was expected instead, and what a unit did meanwhile."""

import codecs
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.units.activations import follow
from charlm.cells import LayerStates
from charlm.config import Unknown
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

_WINDOW = 1024  # tokens read at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a model made of a text of N tokens."""

    ids: NDArray[np.int64]
    """(N,)."""
    texts: tuple[str, ...]
    """What each token completes, N of them: the whole text when joined; a character of several tokens is the last's."""
    bits: NDArray[np.float32]
    """-log2 p of each token given those before it, (N,); an unknown character is charged as in `charlm.evaluation.score`."""
    likeliest: NDArray[np.int64]
    """The tokens that were likeliest in its place, (N, K), the likeliest first."""
    probabilities: NDArray[np.float32]
    """Theirs, (N, K)."""
    values: NDArray[np.float32] | None
    """What the unit was after each token, or the gate at its step, (N,); None where none was asked for."""


@torch.inference_mode()
def read(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str,
    *,
    unit: Unit | None = None,
    alternatives: int = 5,
    unknown: Unknown = "error",
    progress: Progress = silent,
) -> Reading:
    """Let a model read a text, from BOS on.

    Args:
        model: in evaluation mode, on the CPU.
        tokenizer: the model's.
        text: must not be empty.
        unit: whose value is wanted, or whose gate's.
        alternatives: K.
        unknown: what a character outside the vocabulary does.
        progress: told how many tokens are read.

    Raises:
        ConfigError: the text is empty, or the model has no such unit or gate.
        UnknownCharacterError: the text has a character outside the vocabulary and `unknown` is "error".
    """
    if unit is not None:
        unit.require_in(model)
    ids = tokenizer.encode(text, unknown=unknown).astype(np.int64)
    if len(ids) == 0:
        raise ConfigError("there is no text to read; give one that isn't empty")
    stream = torch.from_numpy(np.concatenate(([tokenizer.bos], ids)))
    number = min(alternatives, tokenizer.vocab_size)
    bits, likeliest, chances, values = [], [], [], []
    states: LayerStates | None = None
    for start in range(0, len(ids), _WINDOW):
        window = stream[start : start + _WINDOW + 1]
        before = states
        logits, states = model(window[:-1, None], states)
        log_p = torch.log_softmax(logits[:, 0], dim=-1)
        costs = -log_p.gather(1, window[1:, None])[:, 0] / math.log(2)
        if tokenizer.unk is not None:  # and which character it was, as in `charlm.evaluation.score`
            costs += torch.where(window[1:] == tokenizer.unk, math.log2(tokenizer.unseen_characters), 0.0)
        bits.append(costs)
        best = log_p.topk(number, dim=-1)
        likeliest.append(best.indices)
        chances.append(best.values.exp())
        if unit is not None:
            values.append(_values(model, window[:-1], before, unit))
        progress("reading", min(start + _WINDOW, len(ids)), len(ids))
    if unit is not None:  # the value after reading a token, not before
        values.append(_values(model, stream[-1:], states, unit))
    return Reading(
        ids=ids,
        texts=completed_texts(tokenizer, ids),
        bits=torch.cat(bits).numpy(),
        likeliest=torch.cat(likeliest).numpy(),
        probabilities=torch.cat(chances).numpy(),
        values=torch.cat(values)[1:].numpy() if unit is not None else None,
    )


def _values(model: LanguageModel, ids: torch.Tensor, states: LayerStates | None, unit: Unit) -> torch.Tensor:
    """The unit after each of the tokens, (T,)."""
    before = states if states is not None else model.initial_state(1)
    layers, _ = follow(model, ids[:, None], before, layers=unit.layer + 1, gates=unit.gate is not None)
    return layers[unit.layer][unit.series][:, 0, unit.number]


def completed_texts(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> tuple[str, ...]:
    """What each of at least one token completes of the text; a character of several tokens is the last's."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    written = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    texts = [decoder.decode(written[token]) for token in ids.tolist()]
    texts[-1] += decoder.decode(b"", True)
    return tuple(texts)

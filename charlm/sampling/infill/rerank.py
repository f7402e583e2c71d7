"""Scores of texts that differ only in the gap, by a forward and a backward model."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charlm.cells import LayerStates
from charlm.config import Unknown
from charlm.model.language_model import LanguageModel
from charlm.sampling.edges.prefix import read_tokens
from charlm.tokenizers import Tokenizer

_MAX_ROWS = 256  # texts in a batch
_MAX_LOGITS = 1 << 24  # elements of the logits of a batch
_PADDING = -100
_NEAR_GAP = 256  # characters on each side of the gap that are tokenized together with each text


def score_both(
    forward: LanguageModel,
    backward: LanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    *,
    left: str,
    right: str,
    unknown: Unknown,
    far_tokens: int | None = None,
) -> list[tuple[str, float, float]]:
    """Score N texts for a gap.

    Returns each text with two log-probabilities in nats: by the forward model, of the text and the right text given the
    left one; by the backward model, of the text and the left text given the right one.

    The left text, a text and the right text are joined and then tokenized, so tokens may span an edge of the gap. What
    a model is given is therefore only the tokens that all N joined texts share. So all N log-probabilities have the
    same condition and can be compared.

    Args:
        forward: the forward model, in evaluation mode.
        backward: the backward model, in evaluation mode.
        tokenizer: the tokenizer of both models.
        texts: the texts to put in the gap.
        left: the text before the gap.
        right: the text after the gap.
        unknown: how to treat characters outside the vocabulary.
        far_tokens: how many tokens beyond the gap are scored too; None for all.
    """
    if not texts:
        return []
    rows, before, after = _split_shared(tokenizer, texts, left, right, unknown)
    forward_nats = log_probabilities(forward, [tokenizer.bos, *before], [row + after[:far_tokens] for row in rows])
    backward_nats = log_probabilities(
        backward, [tokenizer.bos, *after[::-1]], [row[::-1] + before[::-1][:far_tokens] for row in rows]
    )
    return list(zip(texts, forward_nats.tolist(), backward_nats.tolist(), strict=True))


def _split_shared(
    tokenizer: Tokenizer, texts: Sequence[str], left: str, right: str, unknown: Unknown
) -> tuple[list[list[int]], list[int], list[int]]:
    """Tokenize the joined texts; returns the tokens that differ, the shared tokens before them, and those after them.

    Far from the gap the left and right texts are cut at a space and tokenized only once, since the gap does not affect
    tokens there.
    """
    start, end = max(0, left.rfind(" ", 0, max(0, len(left) - _NEAR_GAP))), right.find(" ", _NEAR_GAP)
    end = len(right) if end < 0 else end
    far_left, near_left, far_right = (
        tokenizer.encode(part, unknown=unknown).tolist() for part in (left[:start], left[start:], right[end:])
    )
    near_right = tokenizer.encode(right[:end], unknown=unknown).tolist()
    joined = [tokenizer.encode(left[start:] + text + right[:end], unknown=unknown).tolist() for text in texts]
    first = _common_prefix([near_left, *joined])
    last = _common_prefix([near_right[::-1], *(row[first:][::-1] for row in joined)])
    rows = [row[first : len(row) - last] for row in joined]
    return rows, far_left + near_left[:first], joined[0][len(joined[0]) - last :] + far_right


def _common_prefix(rows: Sequence[Sequence[int]]) -> int:
    """How many first tokens all rows share."""
    columns = enumerate(zip(*rows, strict=False))
    return next((place for place, column in columns if len(set(column)) > 1), min(map(len, rows)))


@torch.inference_mode()
def log_probabilities(
    model: LanguageModel, context: Sequence[int], rows: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Log-probabilities of token sequences after a common context, nats, (N,).

    Args:
        model: a model in evaluation mode.
        context: tokens that precede every sequence, at least BOS; read only once.
        rows: N token sequences of any lengths.
    """
    device = model.output_bias.device
    states = read_tokens(model, list(context[:-1]), 0)[0][1] if len(context) > 1 else model.initial_state(1)
    totals = np.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))  # similar lengths in a batch need less padding
    size = max(1, min(_MAX_ROWS, _MAX_LOGITS // (max(map(len, rows), default=1) * model.config.vocab_size + 1)))
    for start in range(0, len(order), size):
        batch = [row for row in order[start : start + size] if rows[row]]
        if not batch:
            continue
        ids, targets = (block.to(device) for block in _padded([[context[-1], *rows[row]] for row in batch]))  # (T, B)
        logits, _ = model(ids, _repeated(states, len(batch)))
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=_PADDING, reduction="none")
        totals[batch] = -nats.view(targets.shape).double().sum(0).cpu().numpy()
    return totals


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids and targets, (T, B) each, with short rows padded."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows]).T  # (T + 1, B)
    targets = ids[1:].clone()
    for index, row in enumerate(rows):
        targets[len(row) - 1 :, index] = _PADDING
    return ids[:-1], targets


def _repeated(states: LayerStates, rows: int) -> LayerStates:
    """The states of one text, (1, ...) each, repeated for B = `rows`."""
    return tuple(tuple(part.expand(rows, *part.shape[1:]).contiguous() for part in state) for state in states)

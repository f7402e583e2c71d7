"""What both models make of texts that differ in one place only."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from charlm.cells import LayerStates
from charlm.config import Unknown
from charlm.model.language_model import LanguageModel
from charlm.sampling.prefix import read_tokens
from charlm.tokenizers import Tokenizer

_ROWS = 256  # texts read at a time
_LOGITS = 1 << 24  # elements of the logits of one call, at most
_PAD = -100
_NEAR = 256  # characters of a side next to the gap that are split anew with each text


def score_both(
    forward: LanguageModel,
    backward: LanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    *,
    left: str,
    right: str,
    unknown: Unknown,
    near: int | None = None,
) -> list[tuple[str, float, float]]:
    """Each of N texts with its nats: for the forward model, of it and the right text given the left one; for the
    backward model, of it and the left text given the right one.

    Texts are read as the tokenizer splits the whole. Where tokens span the edge of a side, what is given is the tokens
    of the side that all wholes share: the nats of the N texts can be compared, all of them are of the same event.

    Args:
        forward: in evaluation mode.
        backward: in evaluation mode.
        tokenizer: of both.
        texts: what to put in the gap.
        left: what stands before it.
        right: what stands after it.
        unknown: what a character outside the vocabulary does.
        near: tokens of the far side that are judged too; None is all of them.
    """
    if not texts:
        return []
    rows, before, after = _around(tokenizer, texts, left, right, unknown)
    ahead = log_probabilities(forward, [tokenizer.bos, *before], [row + after[:near] for row in rows])
    behind = log_probabilities(
        backward, [tokenizer.bos, *after[::-1]], [row[::-1] + before[::-1][:near] for row in rows]
    )
    return list(zip(texts, ahead.tolist(), behind.tolist(), strict=True))


def _around(
    tokenizer: Tokenizer, texts: Sequence[str], left: str, right: str, unknown: Unknown
) -> tuple[list[list[int]], list[int], list[int]]:
    """The tokens in which wholes differ, those of the left side that all share, and those of the right side.

    Far from the gap a side is split once, from a space on: there the gap makes no difference.
    """
    start, end = max(0, left.rfind(" ", 0, max(0, len(left) - _NEAR))), right.find(" ", _NEAR)
    end = len(right) if end < 0 else end
    head, own, tail = (
        tokenizer.encode(part, unknown=unknown).tolist() for part in (left[:start], left[start:], right[end:])
    )
    wholes = [tokenizer.encode(left[start:] + text + right[:end], unknown=unknown).tolist() for text in texts]
    first = _shared([own, *wholes])
    last = _shared(
        [tokenizer.encode(right[:end], unknown=unknown).tolist()[::-1], *(row[first:][::-1] for row in wholes)]
    )
    rows = [row[first : len(row) - last] for row in wholes]
    return rows, head + own[:first], wholes[0][len(wholes[0]) - last :] + tail


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with."""
    columns = enumerate(zip(*rows, strict=False))
    return next((place for place, column in columns if len(set(column)) > 1), min(map(len, rows)))


@torch.inference_mode()
def log_probabilities(model: LanguageModel, given: Sequence[int], rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Nats of each row of tokens after those that are given to all, (N,).

    Args:
        model: in evaluation mode.
        given: at least BOS; read once.
        rows: N token sequences, of any lengths.
    """
    device = model.output_bias.device
    states = read_tokens(model, list(given[:-1]), 0)[0][1] if len(given) > 1 else model.initial_state(1)
    found = np.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))  # rows of like length side by side
    size = max(1, min(_ROWS, _LOGITS // (max(map(len, rows), default=1) * model.config.vocab_size + 1)))
    for start in range(0, len(order), size):
        part = [row for row in order[start : start + size] if rows[row]]
        if not part:
            continue
        ids, targets = (block.to(device) for block in _block([[given[-1], *rows[row]] for row in part]))  # (T, B)
        logits, _ = model(ids, _repeated(states, len(part)))
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=_PAD, reduction="none")
        found[part] = -nats.view(targets.shape).double().sum(0).cpu().numpy()
    return found


def _block(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """What is read and what is to come, (T, B) each; short rows are filled up with what isn't counted."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows]).T  # (T + 1, B)
    targets = ids[1:].clone()
    for index, row in enumerate(rows):
        targets[len(row) - 1 :, index] = _PAD
    return ids[:-1], targets


def _repeated(states: LayerStates, rows: int) -> LayerStates:
    """The states of one text, (1, H) each, for B rows."""
    return tuple(tuple(part.expand(rows, -1).contiguous() for part in state) for state in states)

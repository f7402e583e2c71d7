"""Directions in a model's state to write along: one unit, or all units of the hidden state that the output layer reads.

A direction that tells a label is not always one that writes it: it may follow the label without any word hanging on it.
The weighted direction is looked for where words are chosen. For each labelled text it takes the Fisher score, the
gradient of the text's log-probability by a constant that is added to what the output layer reads,
sum over t of W^T (onehot(x_t) - p_t), and between the scores of both labels Fisher's linear discriminant.

Sources: Fisher 1936, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7; Jaakkola and
Haussler 1999, "Exploiting generative models in discriminative classifiers", equation 4 (the Fisher score).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.analysis.probing.classifiers import Truth, Vectors, best_unit
from charlm.analysis.probing.features import Block
from charlm.analysis.probing.labelled import Labelled
from charlm.errors import CharlmError
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.storage.direction import StateName
from charlm.tokenizers import Tokenizer

_TEXTS = 2000  # with the label, and without it, of which scores are taken
_TOKENS = 256  # of each text
_ROWS = 32  # texts at a time
_RIDGE = 1.0  # in mean variances of a score
_QUARTER = 0.25  # of the standard deviation of the state


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A direction in one state of one layer."""

    kind: Literal["unit", "weighted"]
    layer: int
    state: StateName
    vector: NDArray[np.float32]
    """(H,), of length 1; the label goes with high values."""
    mean: float
    """Of vector . state, over tokens or texts."""
    scale: float
    """What a strength of 1 moves it by."""


@torch.inference_mode()
def output_scores(
    model: LanguageModel, tokenizer: Tokenizer, texts: Sequence[str], *, progress: Progress = silent
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """The Fisher score (N, H) of each text, of its first `_TOKENS` tokens, in nats per unit of h; and over all those
    tokens the mean (H,) of the last layer's h and its variance (H,).

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        texts: N of them.
        progress: told how many are read.
    """
    weights = model.embedding if model.output is None else model.output  # (V, H)
    rows = [torch.from_numpy(ids[:_TOKENS].astype(np.int64)) for ids in tokenizer.encode_all(texts)]
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    scores = np.zeros((len(rows), model.config.hidden_size), np.float32)
    count, total, squares = 0, np.zeros(model.config.hidden_size), np.zeros(model.config.hidden_size)
    for first in range(0, len(order), _ROWS):
        part = order[first : first + _ROWS]
        targets = torch.nn.utils.rnn.pad_sequence([rows[index] for index in part], padding_value=-1)  # (T, B)
        counts = (targets >= 0).to(weights.device)
        known = targets.clamp(min=0).to(weights.device)
        before = torch.cat((torch.full_like(known[:1], tokenizer.bos), known[:-1]))
        logits, _, _ = model.read(before)
        held, _ = model.record_states(before)
        surprise = -torch.softmax(logits, dim=-1)
        surprise.scatter_add_(2, known[..., None], torch.ones_like(known[..., None], dtype=surprise.dtype))
        scores[part] = ((surprise * counts[..., None]).sum(0) @ weights).cpu().numpy()
        kept = held[-1]["h"][counts].double()
        count += len(kept)
        total, squares = total + kept.sum(0).cpu().numpy(), squares + (kept**2).sum(0).cpu().numpy()
        progress("looking for a direction", min(first + _ROWS, len(order)), len(order))
    mean = total / max(1, count)
    return scores, mean, squares / max(1, count) - mean**2


def weighted_direction(
    model: LanguageModel,
    tokenizer: Tokenizer,
    labelled: Labelled,
    label: str,
    *,
    seed: int = 1,
    progress: Progress = silent,
) -> Found:
    """Along which the output layer makes texts with the label likelier and those without it less likely.

    A strength of 1 is a quarter of the standard deviation of the last layer's hidden state, which is the root mean
    square of its distance from its mean.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        labelled: texts with the label and without it; `_TEXTS` of either are looked at, drawn at random.
        label: which goes with high values.
        seed: of the draw.
        progress: told how many texts are read.
    """
    truth, generator = labelled.truth(label), np.random.default_rng(seed)
    places = np.concatenate([generator.permutation(np.flatnonzero(truth == side))[:_TEXTS] for side in (True, False)])
    texts = [labelled.texts[place] for place in places.tolist()]
    scores, mean, variance = output_scores(model, tokenizer, texts, progress=progress)
    vector = discriminant(scores, truth[places])
    layer = model.config.num_layers - 1
    return Found(
        kind="weighted",
        layer=layer,
        state="h",
        vector=vector,
        mean=float(mean @ vector),
        scale=max(_QUARTER * float(np.sqrt(variance.sum())), 1e-6),
    )


def discriminant(scores: Vectors, truth: Truth) -> NDArray[np.float32]:
    """Fisher's linear discriminant, (H,), of length 1: (S + ridge)^-1 (mean with the label - mean without it), where S
    is the covariance within both.

    Args:
        scores: (N, H); one thrice as long as the median is shortened to that.
        truth: (N,).

    Raises `CharlmError` where both means are the same.
    """
    lengths = np.linalg.norm(scores, axis=1)
    scores = scores * np.minimum(1, 3 * np.median(lengths) / np.maximum(lengths, 1e-30))[:, None]
    with_label, without = scores[truth], scores[~truth]
    across = (with_label.mean(0) - without.mean(0)).astype(np.float64)
    within = np.concatenate((with_label - with_label.mean(0), without - without.mean(0))).astype(np.float64)
    covariance = within.T @ within / len(within)
    covariance += (_RIDGE * np.trace(covariance) / len(covariance) + 1e-30) * np.eye(len(covariance))
    vector = np.linalg.solve(covariance, across)
    length = float(np.linalg.norm(vector))
    if not length > 0:
        raise CharlmError("the model makes the same of texts of both labels, so there is no direction between them")
    found: NDArray[np.float32] = (vector / length).astype(np.float32)
    return found


def unit_direction(vectors: Vectors, truth: Truth, blocks: Sequence[Block]) -> Found:
    """The unit whose mean over a text tells the label best; a strength of 1 is the standard deviation of that mean.

    Args:
        vectors: (N, D), as `charlm.analysis.probing.features` makes them.
        truth: (N,).
        blocks: what they consist of.
    """
    width = vectors.shape[1] // len(blocks)
    places = [index for index, block in enumerate(blocks) if block.moment == "mean"]
    columns = np.concatenate([np.arange(index * width, (index + 1) * width) for index in places])
    best = best_unit(vectors[:, columns], truth)
    index, number = divmod(int(columns[best.column]), width)
    values = vectors[:, index * width + number] * (1 if best.above else -1)
    vector = np.zeros(width, np.float32)
    vector[number] = 1.0 if best.above else -1.0
    return Found(
        kind="unit",
        layer=blocks[index].layer,
        state=blocks[index].state,
        vector=vector,
        mean=float(values.mean()),
        scale=max(float(values.std()), 1e-6),
    )

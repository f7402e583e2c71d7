"""Steering directions in a model's state: one unit, or all units of the hidden state that the output layer reads.

A direction that predicts a label doesn't always steer generation: it may correlate with the label without affecting the
output. The weighted direction is therefore computed at the output layer. For each labelled text it takes the Fisher
score, the gradient of the text's log-probability with respect to a constant added to the input of the output layer,
sum over t of W^T (onehot(x_t) - p_t), and then Fisher's linear discriminant between the scores of the two labels.

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

_TOKENS = 256  # tokens of each text, at most
_ROWS = 32  # texts at a time
_RIDGE = 1.0  # in units of the mean variance of a score
_STRENGTH = 0.25  # standard deviations of the state per unit of strength


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundDirection:
    """A steering direction in one state of one layer."""

    kind: Literal["unit", "weighted"]
    layer: int
    state: StateName
    vector: NDArray[np.float32]
    """(H,), of length 1; high values of vector . state mean the label."""
    mean: float
    """Mean of vector . state over tokens or texts."""
    scale: float
    """The change of vector . state at a strength of 1."""


@torch.inference_mode()
def output_scores(
    model: LanguageModel, tokenizer: Tokenizer, texts: Sequence[str], *, progress: Progress = silent
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the Fisher score of each text from its first 256 tokens.

    Args:
        model: a model in evaluation mode.
        tokenizer: the tokenizer of the model.
        texts: the N texts to score.
        progress: receives how many texts are read.

    Returns:
        The scores (N, H), in nats per unit of h; and over all tokens read, the mean (H,) and variance (H,) of the last
        layer's h.
    """
    weights = model.output_weight  # (V, H)
    rows = [torch.from_numpy(ids[:_TOKENS].astype(np.int64)) for ids in tokenizer.encode_all(texts)]
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    scores = np.zeros((len(rows), model.config.hidden_size), np.float32)
    count, total, squares = 0, np.zeros(model.config.hidden_size), np.zeros(model.config.hidden_size)
    for first in range(0, len(order), _ROWS):
        batch = order[first : first + _ROWS]
        padded = torch.nn.utils.rnn.pad_sequence([rows[index] for index in batch], padding_value=-1)  # (T, B)
        counts = (padded >= 0).to(weights.device)
        targets = padded.clamp(min=0).to(weights.device)
        inputs = torch.cat((torch.full_like(targets[:1], tokenizer.bos), targets[:-1]))
        logits, _, _ = model.read(inputs)
        states, _ = model.record_states(inputs)
        errors = -torch.softmax(logits, dim=-1)  # onehot - p, (T, B, V)
        errors.scatter_add_(2, targets[..., None], torch.ones_like(targets[..., None], dtype=errors.dtype))
        scores[batch] = ((errors * counts[..., None]).sum(0) @ weights).cpu().numpy()
        h = states[-1]["h"][counts].double()
        count += len(h)
        total, squares = total + h.sum(0).cpu().numpy(), squares + (h**2).sum(0).cpu().numpy()
        progress("computing the steering direction", min(first + _ROWS, len(order)), len(order))
    mean = total / max(1, count)
    return scores, mean, squares / max(1, count) - mean**2


def weighted_direction(
    model: LanguageModel,
    tokenizer: Tokenizer,
    labelled: Labelled,
    label: str,
    *,
    most_texts: int = 2000,
    seed: int = 1,
    progress: Progress = silent,
) -> FoundDirection:
    """Find the direction that makes texts with the label likelier, and texts without it less likely.

    A strength of 1 is a quarter of the standard deviation of the last layer's hidden state, i.e. of the root mean
    square of its distance from its mean.

    Args:
        model: a model in evaluation mode.
        tokenizer: the tokenizer of the model.
        labelled: texts with and without the label.
        label: the label of high values.
        most_texts: how many texts with the label, and without it, are used at most; they are drawn at random.
        seed: the random seed of the draw.
        progress: receives how many texts are read.

    Raises:
        CharlmError: the mean scores with and without the label are the same.
    """
    truth, generator = labelled.truth(label), np.random.default_rng(seed)
    places = np.concatenate(
        [generator.permutation(np.flatnonzero(truth == side))[:most_texts] for side in (True, False)]
    )
    texts = [labelled.texts[place] for place in places.tolist()]
    scores, mean, variance = output_scores(model, tokenizer, texts, progress=progress)
    vector = discriminant(scores, truth[places])
    layer = model.config.num_layers - 1
    return FoundDirection(
        kind="weighted",
        layer=layer,
        state="h",
        vector=vector,
        mean=float(mean @ vector),
        scale=max(_STRENGTH * float(np.sqrt(variance.sum())), 1e-6),
    )


def discriminant(scores: Vectors, truth: Truth) -> NDArray[np.float32]:
    """Fisher's linear discriminant, (H,), of length 1.

    It is (S + ridge)^-1 (mean with the label - mean without it), where S is the covariance within the two groups.

    Args:
        scores: a vector for each text, (N, H); one longer than three times the median length is shortened to that.
        truth: whether each text has the label, (N,).

    Raises:
        CharlmError: the two means are the same.
    """
    lengths = np.linalg.norm(scores, axis=1)
    scores = scores * np.minimum(1, 3 * np.median(lengths) / np.maximum(lengths, 1e-30))[:, None]
    with_label, without = scores[truth], scores[~truth]
    difference = (with_label.mean(0) - without.mean(0)).astype(np.float64)
    within = np.concatenate((with_label - with_label.mean(0), without - without.mean(0))).astype(np.float64)
    covariance = within.T @ within / len(within)
    covariance += (_RIDGE * np.trace(covariance) / len(covariance) + 1e-30) * np.eye(len(covariance))
    vector = np.linalg.solve(covariance, difference)
    length = float(np.linalg.norm(vector))
    if not length > 0:
        raise CharlmError("no steering direction: the model scores texts of both labels the same; give other texts")
    normalised: NDArray[np.float32] = (vector / length).astype(np.float32)
    return normalised


def unit_direction(vectors: Vectors, truth: Truth, blocks: Sequence[Block]) -> FoundDirection:
    """The unit whose mean over a text predicts the label best; a strength of 1 is the standard deviation of that mean.

    Args:
        vectors: one vector for each text, (N, D), from `charlm.analysis.probing.features`.
        truth: whether each text has the label, (N,).
        blocks: the layout of the vectors.
    """
    hidden_size = vectors.shape[1] // len(blocks)
    mean_blocks = [index for index, block in enumerate(blocks) if block.moment == "mean"]
    columns = np.concatenate([np.arange(index * hidden_size, (index + 1) * hidden_size) for index in mean_blocks])
    best = best_unit(vectors[:, columns], truth)
    index, number = divmod(int(columns[best.column]), hidden_size)
    values = vectors[:, index * hidden_size + number] * (1 if best.above else -1)
    vector = np.zeros(hidden_size, np.float32)
    vector[number] = 1.0 if best.above else -1.0
    return FoundDirection(
        kind="unit",
        layer=blocks[index].layer,
        state=blocks[index].state,
        vector=vector,
        mean=float(values.mean()),
        scale=max(float(values.std()), 1e-6),
    )

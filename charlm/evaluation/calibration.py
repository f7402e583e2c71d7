"""Calibration of a model by one or two numbers, fitted on the validation split.

A network is more confident on a text that it has seen many times than on a new one, and an n-gram prior predicts the
folds of the training text better than other text. Dividing all logits by a temperature corrects both (Guo, Pleiss, Sun
and Weinberger 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2). A model of labels also
gets the weight of the n-grams of its labels, without which it was trained.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.data.windows import IGNORE, Window
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes

TEMPERATURES = tuple(0.8 + 0.05 * step for step in range(17))
"""The temperatures tried; a parabola interpolates between them."""
LABEL_WEIGHTS = tuple(step / 10 for step in range(11))
"""The weights of the n-grams of labels tried, in the same way."""
_LOGITS = 1 << 20
"""The most logits of a window that are used."""


@torch.inference_mode()
def best_temperature(model: LanguageModel, windows: Iterable[Window], processes: Processes | None = None) -> float:
    """The temperature with the lowest nats on the windows' targets; `model` must be in evaluation mode.

    Several processes pass the same model, and each of them windows of its own.

    In a window with many logits the targets of every n-th step count, which is enough to fit one number. A match is
    added to the divided logits.
    """
    return _best(model, windows, TEMPERATURES, lambda logits, _, temperature: logits / temperature, processes)


@torch.inference_mode()
def best_label_weight(model: LanguageModel, windows: Iterable[Window], processes: Processes | None = None) -> float:
    """The weight of the n-grams of the labels with the lowest nats; arguments as in `best_temperature`, after which it
    is chosen."""
    return _best(
        model.with_label_ngrams(1),
        windows,
        LABEL_WEIGHTS,
        lambda logits, added, weight: logits if added is None else logits + (weight - 1) * added,
        processes,
    )


def _best(
    model: LanguageModel,
    windows: Iterable[Window],
    values: Sequence[float],
    change: Callable[[Tensor, Tensor | None, float], Tensor],
    processes: Processes | None,
) -> float:
    """The value with the lowest nats.

    `change` makes the logits (T, B, V) for a value, given those of the model and what its n-grams of labels added.
    """
    device = model.output_bias.device
    nats = torch.zeros(len(values), dtype=torch.float64)
    states = None
    for window in windows:
        outputs = model.read_network(window.ids.to(device), model.carry(states, window))
        logits, states, predictions = model.logits_without_match(outputs), outputs.states, outputs.added.predictions
        every = -(-logits.numel() // _LOGITS)
        logits, targets = logits[::every], window.targets.to(device)[::every].flatten()
        added = None if outputs.added.by_labels is None else outputs.added.by_labels[::every]
        for index, value in enumerate(values):
            changed = change(logits, added, value)
            if predictions is not None:
                changed = model.add_match(changed, predictions[::every], outputs.hidden[::every])
            changed = changed.flatten(0, 1)
            nats[index] += F.cross_entropy(changed, targets, ignore_index=IGNORE, reduction="sum").cpu()
    if processes is not None:
        nats = torch.from_numpy(processes.total(nats.numpy()))
    best = int(nats.argmin())
    if best in (0, len(values) - 1):
        return values[best]
    before, here, after = nats[best - 1 : best + 2].tolist()
    curvature = before - 2 * here + after
    step = values[1] - values[0]
    return values[best] + (step * 0.5 * (before - after) / curvature if curvature > 0 else 0.0)


@torch.no_grad()
def divide_logits(model: LanguageModel, temperature: float) -> None:
    """Divide all logits of a model by a temperature, in its weights; a match is then added as before.

    When the embedding is also the output layer, the network's input weights are multiplied to compensate.
    """
    parts: list[torch.Tensor] = [model.output_weight, model.output_bias]
    if model.prior is not None:
        parts += [model.prior.weight, model.prior.bias]
    for part in parts:
        part.div_(temperature)
    if model.label_ngrams is not None:
        model.label_ngrams = replace(model.label_ngrams, weight=model.label_ngrams.weight / temperature)
    if model.output is None:
        for vectors in (model.contexts, model.labels):
            if vectors is not None:
                vectors.vectors.div_(temperature)
        model.network.input_weights.mul_(temperature)

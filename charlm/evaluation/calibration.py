"""Calibration of a model by one or two numbers, fitted on the validation split.

A network is more confident on a text that it has seen many times than on a new one, and an n-gram prior predicts the
folds of the training text better than other text. Dividing all logits by a temperature corrects both (Guo, Pleiss, Sun
and Weinberger 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2). A model of labels also
gets the weight of the n-grams of its labels, without which it was trained.
"""

from collections.abc import Iterable, Sequence

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

    candidates = [(temperature, 0.0) for temperature in TEMPERATURES]
    return _lowest(TEMPERATURES, _nats(model, windows, candidates, processes))


@torch.inference_mode()
def best_label_weight(model: LanguageModel, windows: Iterable[Window], processes: Processes | None = None) -> float:
    """The weight of the n-grams of the labels with the lowest nats; arguments as in `best_temperature`, after which it
    is chosen."""
    candidates = [(1.0, weight) for weight in LABEL_WEIGHTS]
    return _lowest(LABEL_WEIGHTS, _nats(model.with_label_ngrams(1), windows, candidates, processes))


def _nats(
    model: LanguageModel,
    windows: Iterable[Window],
    candidates: Sequence[tuple[float, float]],
    processes: Processes | None,
) -> Tensor:
    """Nats of the targets with each temperature and weight of the n-grams of labels, whose weight in `model` is 1."""
    device = model.output_bias.device
    nats = torch.zeros(len(candidates), dtype=torch.float64)
    states = None
    for window in windows:
        outputs = model.read_network(window.ids.to(device), model.carry(states, window))
        logits, states, added = model.logits_without_match(outputs), outputs.states, outputs.added
        every = -(-logits.numel() // _LOGITS)
        logits, targets = logits[::every], window.targets.to(device)[::every].flatten()
        for index, (temperature, weight) in enumerate(candidates):
            changed = logits / temperature
            if added.predictions is not None:
                changed = model.add_match(changed, added.predictions[::every], outputs.hidden[::every])
            if added.by_labels is not None:
                changed = changed + weight * added.by_labels[::every]
            changed = changed.flatten(0, 1)
            nats[index] += F.cross_entropy(changed, targets, ignore_index=IGNORE, reduction="sum").cpu()
    return nats if processes is None else torch.from_numpy(processes.total(nats.numpy()))


def _lowest(values: Sequence[float], nats: Tensor) -> float:
    """Where a parabola through the value with the lowest nats and its neighbours is lowest."""
    best = int(nats.argmin())
    if best in (0, len(values) - 1):
        return values[best]
    before, here, after = nats[best - 1 : best + 2].tolist()
    curvature = before - 2 * here + after
    step = values[1] - values[0]
    return values[best] + (step * 0.5 * (before - after) / curvature if curvature > 0 else 0.0)


@torch.no_grad()
def divide_logits(model: LanguageModel, temperature: float) -> None:
    """Divide all logits of a model by a temperature, in its weights; what is added to them later stays as it is.

    When the embedding is also the output layer, the network's input weights are multiplied to compensate.
    """
    parts: list[torch.Tensor] = [model.output_weight, model.output_bias]
    if model.prior is not None:
        parts += [model.prior.weight, model.prior.bias]
    for part in parts:
        part.div_(temperature)
    if model.output is None:
        for vectors in (model.contexts, model.labels):
            if vectors is not None:
                vectors.vectors.div_(temperature)
        model.network.input_weights.mul_(temperature)

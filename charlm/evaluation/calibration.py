"""Calibration of a model's confidence by one number, fitted on the validation split.

A network is more confident on a text that it has seen many times than on a new one, and an n-gram prior predicts the
folds of the training text better than other text. Dividing all logits by a temperature corrects both (Guo, Pleiss, Sun
and Weinberger 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2).
"""

from collections.abc import Iterable

import torch
from torch.nn import functional as F

from charlm.data.windows import IGNORE, Window
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes

TEMPERATURES = tuple(0.8 + 0.05 * step for step in range(17))
"""The temperatures tried; a parabola interpolates between them."""
_LOGITS = 1 << 20
"""The most logits of a window that are used."""


@torch.inference_mode()
def best_temperature(model: LanguageModel, windows: Iterable[Window], processes: Processes | None = None) -> float:
    """The temperature with the lowest nats on the windows' targets; `model` must be in evaluation mode.

    Several processes pass the same model, and each of them windows of its own.

    In a window with many logits the targets of every n-th step count, which is enough to fit one number. A match is
    added to the divided logits.
    """
    device = model.output_bias.device
    nats = torch.zeros(len(TEMPERATURES), dtype=torch.float64)
    states = None
    for window in windows:
        outputs = model.read_network(window.ids.to(device), model.carry(states, window))
        logits, states, predictions = model.logits_without_match(outputs), outputs.states, outputs.added.predictions
        every = -(-logits.numel() // _LOGITS)
        logits, targets = logits[::every], window.targets.to(device)[::every].flatten()
        for index, temperature in enumerate(TEMPERATURES):
            divided = logits / temperature
            if predictions is not None:
                divided = model.add_match(divided, predictions[::every], outputs.hidden[::every])
            divided = divided.flatten(0, 1)
            nats[index] += F.cross_entropy(divided, targets, ignore_index=IGNORE, reduction="sum").cpu()
    if processes is not None:
        nats = torch.from_numpy(processes.total(nats.numpy()))
    best = int(nats.argmin())
    if best in (0, len(TEMPERATURES) - 1):
        return TEMPERATURES[best]
    before, here, after = nats[best - 1 : best + 2].tolist()
    curvature = before - 2 * here + after
    step = TEMPERATURES[1] - TEMPERATURES[0]
    return TEMPERATURES[best] + (step * 0.5 * (before - after) / curvature if curvature > 0 else 0.0)


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
    if model.output is None:
        for vectors in (model.contexts, model.labels):
            if vectors is not None:
                vectors.vectors.div_(temperature)
        model.network.input_weights.mul_(temperature)

"""The training loss of a language model: the cross-entropy of a window, over all tokens or estimated from a sample."""

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.cells import LayerStates
from charlm.data.windows import IGNORE, Window
from charlm.model.additions.lookups import Lookups
from charlm.model.language_model import LanguageModel
from charlm.model.sampled_softmax import TokenSampler, sampled_loss


def window_loss(
    model: LanguageModel,
    window: Window,
    states: LayerStates | None,
    *,
    generator: torch.Generator | None = None,
    sampler: TokenSampler | None = None,
    lookups: Lookups | None = None,
) -> tuple[Tensor, LayerStates]:
    """Cross-entropy of a training window, nats per token, and the state after the window.

    It is the sum over the targets of the window's rows, divided by the number of targets of all rows: a process
    that reads some of the rows gets their part of the mean.

    Args:
        model: the model that is trained.
        window: a window of the training split.
        states: the state before the window; None is the initial state.
        generator: the random generator of dropout and of the sampler.
        sampler: if given, only the logits of a sample of the tokens are computed, and the cross-entropy is an
            estimate; see `charlm.model.sampled_softmax`. Not for a model with a match.
        lookups: those of the window, if they have been made ahead.
    """
    device = model.output_bias.device
    ids = window.ids.to(device, non_blocking=True)
    targets = window.targets.to(device, non_blocking=True).flatten()
    lookups = lookups or Lookups(starts=window.starts)
    if sampler is None:
        logits, _, states = model.read(ids, states, generator=generator, lookups=lookups)
        nats = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORE, reduction="sum")
        return nats / max(1, window.tokens), states  # a window may have sources only
    assert model.match is None
    hidden, added, states = model.read_network(ids, states, generator=generator, lookups=lookups)
    counted = torch.nonzero(targets != IGNORE)[:, 0]
    if not len(counted):
        return hidden.sum() * 0, states
    columns = sampler.draw(targets[counted], generator)
    weight, bias = model.output_weight[columns.tokens], model.output_bias[columns.tokens]
    logits = F.linear(hidden.flatten(0, 1)[counted], weight, bias).to(hidden.dtype)  # (N, K)
    if model.prior is not None:
        assert added.nodes is not None
        with torch.autocast(hidden.device.type, enabled=False):
            some = (counted, columns.tokens)
            logits = logits + model.prior(added.nodes, hidden, lookups, some=some)
    return sampled_loss(logits, columns) * (len(counted) / window.tokens), states

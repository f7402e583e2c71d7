"""Dynamic evaluation: a model that goes on learning from the text it is scored on, and only from what it has scored.

Source: Krause, Kahembwe, Murray and Renals 2017, "Dynamic Evaluation of Neural Sequence Models" (arXiv 1709.07432).
After every window the weights take a step along its gradient, each weight's by its own scale, and fall back a little to
what training gave them:

    theta <- theta - rate * g / (sqrt(m) + epsilon) + decay * (theta_trained - theta)

m is the running mean of g^2 over the windows so far (the paper takes it from the training text instead, which need not
be at hand here).
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from charlm.config import JsonConfig, check_range
from charlm.data.dataset import TokenSplit
from charlm.data.windows import Window, carry, document_windows
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.evaluation.score import Evaluation, nats_of, summed
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

_MEMORY = 0.99  # of the running mean of squared gradients
_EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class DynamicConfig(JsonConfig):
    """How a model learns from what it has scored."""

    rate: float = 1e-3
    """Step of a weight whose gradient is as large as usual."""
    decay: float = 3e-3
    """Share of the way back to the trained weights, per step."""
    seq_len: int = 32
    """Tokens of a window: they are scored, then learnt from."""
    batch_size: int = 8
    """Documents side by side, where there are several."""

    def __post_init__(self) -> None:
        check_range("--dynamic-rate", self.rate, 0, 1, open_low=True)
        check_range("the decay of dynamic evaluation", self.decay, 0, 1)
        check_range("the window of dynamic evaluation", self.seq_len, 1, 65_536)
        check_range("the batch of dynamic evaluation", self.batch_size, 1, 65_536)


def dynamic_evaluate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    split: TokenSplit,
    *,
    config: DynamicConfig | None = None,
    cache: NeuralCacheConfig | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Score a whole split, every window before anything learns from it; `model` stays as it is.

    Args:
        model: the trained one.
        tokenizer: the one that made the split.
        split: must not be empty. Of many documents the longest come first.
        config: how to learn.
        cache: mix the model with a neural cache; see `charlm.evaluation.neural_cache`.
        progress: told how many tokens are scored.
    """
    scored = dynamic_score(model, _windows(split, config := config or DynamicConfig()), config, cache)
    return summed(scored, tokenizer, split, progress)


def dynamic_score(
    model: LanguageModel, windows: Iterable[Window], config: DynamicConfig, cache: NeuralCacheConfig | None = None
) -> Iterator[Tensor]:
    """Nats of the targets of each window, (T, B), 0 where there is none."""
    yield from _learn(deepcopy(model), windows, config, NeuralCache(cache) if cache is not None else None)


def adapt(
    model: LanguageModel, split: TokenSplit, config: DynamicConfig | None = None, *, progress: Progress = silent
) -> LanguageModel:
    """A copy of a model that has learnt from a text as dynamic evaluation does, in evaluation mode."""
    adapted, done = deepcopy(model), 0
    config = config or DynamicConfig()
    for nats in _learn(adapted, _windows(split, config), config, None):
        done += nats.numel()
        progress("adapting", min(done, split.facts.tokens), split.facts.tokens)
    return adapted


def _windows(split: TokenSplit, config: DynamicConfig) -> Iterator[Window]:
    return document_windows(split, batch_size=config.batch_size, seq_len=config.seq_len)


def _learn(
    model: LanguageModel, windows: Iterable[Window], config: DynamicConfig, cache: NeuralCache | None
) -> Iterator[Tensor]:
    """`dynamic_score`; `model` is what learns."""
    model.eval()
    device = model.output_bias.device
    parameters: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    trained = [parameter.detach().clone() for parameter in parameters]
    squares = [torch.zeros_like(parameter) for parameter in parameters]
    states = None
    for number, window in enumerate(windows, start=1):
        with torch.enable_grad():
            logits, hidden, states = model.read(window.ids.to(device), carry(states, window))
            nats = nats_of(logits, window.targets.to(device))
            (nats.sum() / window.tokens).backward()  # type: ignore[no-untyped-call]
        scored = nats.detach()
        if cache is not None:
            scored = cache.score(window, logits.detach(), hidden.detach())
        yield scored
        _step(parameters, trained, squares, number, config)


@torch.no_grad()
def _step(
    parameters: list[Tensor],
    trained: list[Tensor],
    squares: list[Tensor],
    number: int,
    config: DynamicConfig,
) -> None:
    """Move every weight by its gradient, and back towards where training left it; `number` counts from 1."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    torch._foreach_mul_(squares, _MEMORY)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - _MEMORY)
    scales = torch._foreach_div(squares, 1 - _MEMORY**number)
    torch._foreach_sqrt_(scales)
    torch._foreach_add_(scales, _EPSILON)
    torch._foreach_addcdiv_(parameters, gradients, scales, value=-config.rate)
    torch._foreach_lerp_(parameters, trained, config.decay)
    for parameter in parameters:
        parameter.grad = None

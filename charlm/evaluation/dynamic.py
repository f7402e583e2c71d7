"""Dynamic evaluation: the model keeps learning from the text it is scored on, after scoring it.

Source: Krause, Kahembwe, Murray and Renals 2017, "Dynamic Evaluation of Neural Sequence Models" (arXiv 1709.07432).
After every window each weight takes a step along its gradient, scaled by the size of its past gradients, and decays
towards its trained value:

    theta <- theta - rate * g / (sqrt(m) + epsilon) + decay * (theta_trained - theta)

m is the running mean of g^2 over the windows so far. The paper takes it from the training text, which may be missing
here.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import tee

import torch
from torch import Tensor

from charlm.config import JsonConfig, check_range
from charlm.config.names import names_checked
from charlm.data.token_split import TokenSplit
from charlm.data.windows import Window, document_windows
from charlm.evaluation.nats import nats_of
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.evaluation.score import Evaluation, evaluation_of
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

_MEAN_DECAY = 0.99  # of the running mean of squared gradients
_EPSILON = 1e-6
_RATE, _RATE_WITH_MATCH = 1e-3, 2e-4  # a match learns from what was scored, too, which leaves less to the weights


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class DynamicConfig(JsonConfig):
    """How a model learns from the text it has scored."""

    rate: float | None = None
    """Step size (for a gradient of typical size); None is 0.0002 for a model with a match, otherwise 0.001."""
    decay: float = 3e-3
    """Fraction by which weights are pulled back to the trained ones at each step."""
    seq_len: int = 32
    """Tokens that are scored before each step."""
    batch_size: int = 8
    """Maximum number of documents in parallel."""

    def __post_init__(self) -> None:
        if self.rate is not None:
            check_range("--dynamic-rate", self.rate, 0, 1, exclusive_low=True)
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
    """Score a whole split, each window before learning from it; `model` itself stays unchanged.

    Args:
        model: the trained model.
        tokenizer: the tokenizer that encoded the split.
        split: the split to score, which must not be empty. The longest documents come first.
        config: how the model learns.
        cache: the neural cache to mix the model with, if any; see `charlm.evaluation.neural_cache`.
        progress: called with the number of tokens scored.
    """
    windows, scored = tee(_windows(split, config := config or DynamicConfig()))
    nats = dynamic_score(model, scored, config, cache)
    return evaluation_of(zip(windows, nats, strict=True), tokenizer, split, progress)


def dynamic_score(
    model: LanguageModel, windows: Iterable[Window], config: DynamicConfig, cache: NeuralCacheConfig | None = None
) -> Iterator[Tensor]:
    """Nats of the targets of each window, (T, B); 0 at padded positions. `model` itself stays unchanged."""
    yield from _learn(deepcopy(model), windows, config, NeuralCache(cache) if cache is not None else None)


def adapt(
    model: LanguageModel, split: TokenSplit, config: DynamicConfig | None = None, *, progress: Progress = silent
) -> LanguageModel:
    """A copy of a model that has learnt from a text by dynamic evaluation, in evaluation mode."""
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
    """`dynamic_score`, which changes `model`."""
    model.eval()
    device, learner = model.output_bias.device, Learner(model, config)
    states = None
    for window in windows:
        with torch.enable_grad():
            logits, hidden, states = model.read(window.ids.to(device), model.carry(states, window))
            nats = nats_of(logits, window.targets.to(device))
            (nats.sum() / max(1, window.tokens)).backward()  # type: ignore[no-untyped-call]
        scored = nats.detach()
        if cache is not None:
            scored = cache.score(window, logits.detach(), hidden.detach())
        yield scored
        learner.step()


class Learner:
    """Moves the weights of a model by their gradients, after each window."""

    def __init__(self, model: LanguageModel, config: DynamicConfig) -> None:
        self._rate = config.rate or (_RATE if model.match is None else _RATE_WITH_MATCH)
        self._decay, self._number = config.decay, 0
        self._parameters: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._trained = [parameter.detach().clone() for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight along its gradient, which is then removed, and back towards its trained value."""
        self._number += 1
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        torch._foreach_mul_(self._squares, _MEAN_DECAY)
        torch._foreach_addcmul_(self._squares, gradients, gradients, value=1 - _MEAN_DECAY)
        scales = torch._foreach_div(self._squares, 1 - _MEAN_DECAY**self._number)
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, _EPSILON)
        torch._foreach_addcdiv_(self._parameters, gradients, scales, value=-self._rate)
        torch._foreach_lerp_(self._parameters, self._trained, self._decay)
        for parameter in self._parameters:
            parameter.grad = None

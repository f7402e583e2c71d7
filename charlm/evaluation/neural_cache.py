"""A neural cache: predict the tokens that followed similar hidden states (Grave, Joulin and Usunier 2017).

Source: "Improving Neural Language Models with a Continuous Cache" (arXiv 1612.04426), equations 2 and 3:

    p_cache(w | h_t) ~ sum over i < t, x_{i+1} = w, of exp(sharpness * h_t . h_i)
    p = (1 - share) p_model + share p_cache

The cache contains the last `size` positions of the document.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.config import SMALL_VOCABULARY, JsonConfig, check_range
from charlm.config.names import names_checked
from charlm.data.windows import IGNORE, Window

_SHARE, _SHARPNESS = 0.05, 0.3
_SHARE_LARGE, _SHARPNESS_LARGE = 0.15, 0.2  # for a large vocabulary; fitted to words (docs/notes/experiments.md)


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class NeuralCacheConfig(JsonConfig):
    """The size and weight of a neural cache."""

    size: int = 2000
    """Positions in the cache."""
    share: float | None = None
    """Weight of the cache in the mixture; None is 0.05, with a large vocabulary 0.15."""
    sharpness: float | None = None
    """How strongly the weighting favours similar hidden states; None is 0.3, with a large vocabulary 0.2."""

    def __post_init__(self) -> None:
        check_range("the size of the neural cache", self.size, 1, 1_000_000)
        if self.share is not None:
            check_range("--cache-share", self.share, 0, 0.999)
        if self.sharpness is not None:
            check_range("the sharpness of the neural cache", self.sharpness, 0, 1000)

    def weighting(self, vocab_size: int) -> tuple[float, float]:
        """The share and the sharpness for a vocabulary."""
        large = vocab_size > SMALL_VOCABULARY
        share, sharpness = (_SHARE_LARGE, _SHARPNESS_LARGE) if large else (_SHARE, _SHARPNESS)
        return share if self.share is None else self.share, sharpness if self.sharpness is None else self.sharpness


class NeuralCache:
    """The neural caches of B documents whose windows are scored in order."""

    def __init__(self, config: NeuralCacheConfig) -> None:
        self._config = config
        self._hidden: Tensor | None = None  # (C, B, H)
        self._targets: Tensor | None = None  # (C, B)

    def score(self, window: Window, logits: Tensor, hidden: Tensor) -> Tensor:
        """Nats of each target, (T, B); 0 at padded positions. The window is then added to the cache.

        Args:
            window: the next window.
            logits: the logits of the model, (T, B, V).
            hidden: outputs of the last layer, (T, B, H).
        """
        steps, rows = window.ids.shape
        share, sharpness = self._config.weighting(logits.shape[-1])
        targets = window.targets.to(hidden.device)
        if window.fresh or self._hidden is None or self._targets is None:
            past, past_targets = hidden[:0], targets[:0]
        else:
            past, past_targets = self._hidden[:, :rows], self._targets[:, :rows]
        hidden, all_targets = torch.cat((past, hidden)), torch.cat((past_targets, targets))  # (C + T, B, ...)
        before = len(past) + torch.arange(steps, device=hidden.device)  # positions before each step
        similarity = torch.einsum("tbh,cbh->btc", hidden[len(past) :], hidden) * sharpness
        unknown = torch.arange(len(hidden), device=hidden.device) >= before[:, None]  # (T, C + T)
        too_old = torch.arange(len(hidden), device=hidden.device) < before[:, None] - self._config.size
        similarity = similarity.masked_fill(unknown | too_old | (all_targets == IGNORE).T[:, None], -math.inf)
        known = (similarity > -math.inf).any(2).T  # (T, B)
        same = all_targets.T[:, None, :] == targets.T[:, :, None]  # (B, T, C + T)
        cache_p = torch.nan_to_num((torch.softmax(similarity, dim=2) * same).sum(2)).T  # (T, B)
        log_p = -F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
        mixed = torch.logaddexp(log_p.view(steps, rows) + math.log1p(-share), torch.log(share * cache_p))
        nats = -torch.where(known, mixed, log_p.view(steps, rows)).masked_fill(targets == IGNORE, 0.0)
        self._hidden, self._targets = hidden[-self._config.size :], all_targets[-self._config.size :]
        return nats

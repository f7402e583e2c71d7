"""A neural cache: what followed when the hidden state was like the one now (Grave, Joulin and Usunier 2017).

Source: "Improving Neural Language Models with a Continuous Cache" (arXiv 1612.04426), equations 2 and 3:

    p_cache(w | h_t) ~ sum over i < t, x_{i+1} = w, of exp(sharpness * h_t . h_i)
    p = (1 - share) p_model + share p_cache

The past of a document is what is remembered, the last `size` places of it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.config import JsonConfig, check_range
from charlm.data.windows import IGNORE, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class NeuralCacheConfig(JsonConfig):
    """What is remembered, and how much it counts."""

    size: int = 2000
    """Places that are remembered."""
    share: float = 0.05
    """Weight of what is remembered in the mixture."""
    sharpness: float = 0.3
    """How much more a place counts whose hidden state is nearer."""

    def __post_init__(self) -> None:
        check_range("the size of the cache", self.size, 1, 1_000_000)
        check_range("--cache-share", self.share, 0, 0.999)
        check_range("the sharpness of the cache", self.sharpness, 0, 1000)


class NeuralCache:
    """The memory of B documents side by side, while their windows are scored in order."""

    def __init__(self, config: NeuralCacheConfig) -> None:
        self._config = config
        self._hidden: Tensor | None = None  # (C, B, H)
        self._followed: Tensor | None = None  # (C, B)

    def score(self, window: Window, logits: Tensor, hidden: Tensor) -> Tensor:
        """Nats of each target (T, B), 0 where there is none; what the window holds is then remembered.

        Args:
            window: the next one.
            logits: the model's, (T, B, V).
            hidden: outputs of the last layer, (T, B, H).
        """
        steps, rows = window.ids.shape
        targets = window.targets.to(hidden.device)
        if window.fresh or self._hidden is None or self._followed is None:
            past, followed = hidden[:0], targets[:0]
        else:
            past, followed = self._hidden[:, :rows], self._followed[:, :rows]
        hidden, all_followed = torch.cat((past, hidden)), torch.cat((followed, targets))  # (C + T, B, ...)
        before = len(past) + torch.arange(steps, device=hidden.device)  # places before each step
        likeness = torch.einsum("tbh,cbh->btc", hidden[len(past) :], hidden) * self._config.sharpness
        unknown = torch.arange(len(hidden), device=hidden.device) >= before[:, None]  # (T, C + T)
        too_old = torch.arange(len(hidden), device=hidden.device) < before[:, None] - self._config.size
        likeness = likeness.masked_fill(unknown | too_old | (all_followed == IGNORE).T[:, None], -math.inf)
        known = (likeness > -math.inf).any(2).T  # (T, B)
        same = all_followed.T[:, None, :] == targets.T[:, :, None]  # (B, T, C + T)
        chance = torch.nan_to_num((torch.softmax(likeness, dim=2) * same).sum(2)).T  # (T, B)
        log_p = -F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
        share = self._config.share
        mixed = torch.logaddexp(log_p.view(steps, rows) + math.log1p(-share), torch.log(share * chance))
        nats = -torch.where(known, mixed, log_p.view(steps, rows)).masked_fill(targets == IGNORE, 0.0)
        self._hidden, self._followed = hidden[-self._config.size :], all_followed[-self._config.size :]
        return nats

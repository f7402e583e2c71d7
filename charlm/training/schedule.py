"""The learning rate as a function of progress."""

import math


def learning_rate(progress: float, *, peak: float, warmup: float, final: float) -> float:
    """Linear warm-up, then cosine decay.

    Args:
        progress: share of the run that is done, 0 to 1; larger values count as 1.
        peak: the highest rate, reached at `warmup`.
        warmup: share of the run over which the rate rises from 0.
        final: the rate at the end, as a share of the peak.

    Source: Loshchilov and Hutter 2017 (arXiv 1608.03983), equation 5, without restarts.
    """
    progress = min(progress, 1.0)
    if progress < warmup:
        return peak * max(progress / warmup, 1e-3)
    decay = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * decay)))

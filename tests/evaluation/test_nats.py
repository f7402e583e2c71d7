import math

import torch

from charlm.evaluation.nats import exact_sum, on_grid


def test_rounded_nats_add_up_exactly_in_any_order() -> None:
    nats = torch.rand(100_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64) ** 8 * 20
    rounded = on_grid(nats)
    assert (rounded - nats).abs().max() <= 2**-27
    sums = {float(part.cumsum(0)[-1]) for part in (rounded, rounded.flip(0), rounded.sort().values)}
    assert sums == {math.fsum(rounded.tolist())} == {exact_sum(nats)}

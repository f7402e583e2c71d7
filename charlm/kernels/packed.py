"""Matrix products by weights that are laid out once for many products.

`torch.mm` lays the weights out anew in each call, which for a small batch costs as much as the product. oneDNN's linear
layer takes them laid out; torch has it as the operation that its own compiler uses, not documented for others, so
that its absence must be and is nothing but slower.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor


def pack(weight: Tensor, rows: int) -> Callable[[Tensor], Tensor] | None:
    """multiply(x) = x weight^T for x (rows, I) and weight (O, I); None where there is no such operation."""
    if weight.dtype != torch.float32 or weight.device.type != "cpu" or not _works():
        return None
    linear = torch.ops.mkldnn._linear_pointwise
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return lambda x: linear(x, packed, None, "none", [], "")


@cache
def _works() -> bool:
    """Whether the operation is there and multiplies, also a block of a wider matrix."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x, weight = torch.arange(24.0).view(4, 6)[:, 1:4], torch.arange(15.0).view(5, 3)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, 4)
        product = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
        return torch.allclose(product, x @ weight.T)
    except (AttributeError, RuntimeError, TypeError):
        return False

"""What takes the steps: Muon for the matrices inside the recurrent layers, AdamW for all other weights."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from charlm.config import TrainConfig
from charlm.model.language_model import LanguageModel

_BOOST = 6.5
"""Muon's learning rate over AdamW's (docs/experiments.md)."""
_MOMENTUM = 0.95
_ITERATION = (3.4445, -4.7750, 2.0315)  # a, b, c of Jordan's polynomial
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Steps along the momentum of a matrix's gradient, with all of its singular values made nearly 1.

    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/. The same as torch's, but that the products are in
    bfloat16 only where the processor is quick at them: elsewhere torch has no quick way to make them.
    """

    def __init__(self, matrices: Iterable[Tensor], *, weight_decay: float, dtype: torch.dtype) -> None:
        """`dtype` is that of the products; the learning rate is given with every step."""
        super().__init__(matrices, {"lr": 0.0, "weight_decay": weight_decay})
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change every matrix by its gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                momentum = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 1 - _MOMENTUM)
                direction = orthogonal(matrix.grad.lerp(momentum, _MOMENTUM), self._dtype)
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(direction, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """A matrix with its singular values moved near 1, to between 0.7 and 1.2, by Newton-Schulz iterations; those that
    are below a thousandth of its norm stay smaller. `dtype` is that of the products.

    An iteration makes x to p x, where p = a + b g + c g g and g = x x'. All p and g are square and of the shorter side,
    and g becomes p g p, so that x is needed again only at the end: 5/9 of the work for a matrix four times as long as
    wide. It is more work for one that is nearly square, and in bfloat16 g would lose too much.
    """
    a, b, c = _ITERATION
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(dtype)
    x = x / x.norm().clamp(min=1e-7)
    if dtype == torch.bfloat16 or 2 * x.shape[1] < 3 * x.shape[0]:
        for _ in range(_ITERATIONS):
            g = x @ x.T
            x = torch.addmm(x, torch.addmm(g, g, g, beta=b, alpha=c), x, beta=a)
    else:
        g, all_p = x @ x.T, None
        for iteration in range(_ITERATIONS):
            p = torch.addmm(g, g, g, beta=b, alpha=c)
            p.diagonal().add_(a)
            all_p = p if all_p is None else p @ all_p
            if iteration < _ITERATIONS - 1:
                g = p @ g @ p
        x = all_p @ x
    return (x.T if tall else x).to(matrix.dtype)


_KEYS = {torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"), Muon: ("momentum_buffer",)}
"""What each remembers of a weight."""


class Optimizers:
    """The optimisers of a model, as one: Muon, and AdamW of Loshchilov and Hutter 2019 (arXiv 1711.05101)."""

    def __init__(self, model: LanguageModel, config: TrainConfig) -> None:
        self._names = {parameter: name for name, parameter in model.named_parameters()}
        inner, decayed, kept = list[nn.Parameter](), list[nn.Parameter](), list[nn.Parameter]()
        for parameter, name in self._names.items():
            if config.optimizer == "muon" and _is_inner(name, parameter):
                inner.append(parameter)
            elif parameter.ndim > 1 and not name.startswith("prior."):  # an n-gram prior's gates belong at 1, not at 0
                decayed.append(parameter)
            else:
                kept.append(parameter)
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
        self._parts: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True), 1.0)
        ]
        if inner:
            dtype = torch.bfloat16 if model.computes_in_bfloat16(config.precision) else torch.float32
            self._parts.append((Muon(inner, weight_decay=config.weight_decay, dtype=dtype), _BOOST))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part, _ in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self, rate: float) -> None:
        """Change the weights by their gradients, at a learning rate."""
        for part, boost in self._parts:
            for group in part.param_groups:
                group["lr"] = boost * rate
            part.step()

    def moments(self) -> dict[str, Tensor]:
        """What is remembered of each weight, as WEIGHT/KIND; nothing before the first step."""
        return {
            f"{name}/{key}": value
            for part, _ in self._parts
            for parameter, name in self._names.items()
            for key, value in part.state.get(parameter, {}).items()
        }

    def restore(self, moments: dict[str, Tensor]) -> None:
        """The inverse of `moments`; raises KeyError for one that is missing, ValueError for one that can't be."""
        for part, _ in self._parts:
            for group in part.param_groups:
                for parameter in group["params"]:
                    name = self._names[parameter]
                    found = {key: moments[f"{name}/{key}"].to(parameter.device) for key in _KEYS[type(part)]}
                    for key, value in found.items():
                        like = value.new_zeros((), dtype=torch.float32) if key == "step" else parameter
                        if value.shape != like.shape or value.dtype != like.dtype or not value.isfinite().all():
                            raise ValueError(f"{key} of {name} is not what an optimiser remembers")
                    part.state[parameter] = found


def _is_inner(name: str, parameter: Tensor) -> bool:
    """Whether a weight is a matrix from state to state, or from layer to layer."""
    return parameter.ndim == 2 and name.startswith("recurrent.") and name != "recurrent.layers.0.input"

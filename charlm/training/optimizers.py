"""The optimisers: Muon for the matrices inside the network, AdamW for all other weights."""

from collections.abc import Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from charlm.config import TrainConfig
from charlm.model.language_model import LanguageModel
from charlm.model.precision import computes_in_bfloat16
from charlm.processes.processes import Processes

_MUON_RATE = 6.5
"""Muon's learning rate divided by AdamW's (docs/notes/experiments.md)."""
_LABEL_RATE, _MOST_LABEL_RATE = 30.0, 0.09
"""The same for the vectors of labels, and the highest learning rate that they get, both as shares of the standard
deviation of an embedding. The vectors begin at 0, and with the rate of the other weights they would stay near it for
hundreds of steps (docs/notes/experiments.md)."""
_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a, b, c of Jordan's polynomial
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Steps along the momentum of a matrix's gradient, with all of its singular values moved close to 1.

    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/. It differs from torch's Muon in the type of the
    matrix products: bfloat16 only on processors with instructions for it, because torch is slow at them elsewhere.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        *,
        weight_decay: float,
        dtype: torch.dtype,
        processes: Processes | None = None,
    ) -> None:
        """`dtype` is the type of the matrix products, which `processes` share; `Optimizers.step` sets the learning
        rate."""
        super().__init__(matrices, {"lr": 0.0, "weight_decay": weight_decay})
        self._dtype, self._processes = dtype, processes or Processes()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix by its gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                momentum = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 1 - _MOMENTUM)
                gradient = matrix.grad.lerp(momentum, _MOMENTUM)
                if self._processes.size == 1:
                    update = orthogonal(gradient, self._dtype)
                else:
                    update = orthogonal_in_shares(gradient, self._dtype, self._processes)
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix with its singular values moved close to 1, to between 0.7 and 1.2, by Newton-Schulz iterations.

    Singular values below a thousandth of the norm stay smaller. `dtype` is the type of the products.

    An iteration replaces x by p x, where p = a + b g + c g g and g = x x'. All p and g are square, as large as the
    shorter side of x, and p x has the Gram matrix p g p. So the iterations can update g alone, and x is multiplied only
    at the end by the product of all p: 5/9 of the work for a matrix four times as long as wide. For a nearly square
    matrix this is more work, and in bfloat16 g would lose too much precision; these iterate on x itself.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(dtype)
    x = x / x.norm().clamp(min=1e-7)
    if dtype == torch.bfloat16 or 2 * x.shape[1] < 3 * x.shape[0]:
        for _ in range(_ITERATIONS):
            g = x @ x.T
            x = torch.addmm(x, torch.addmm(g, g, g, beta=b, alpha=c), x, beta=a)
    else:
        g, product = x @ x.T, None
        for iteration in range(_ITERATIONS):
            p = torch.addmm(g, g, g, beta=b, alpha=c)
            p.diagonal().add_(a)
            product = p if product is None else p @ product
            if iteration < _ITERATIONS - 1:
                g = p @ g @ p
        x = product @ x
    return (x.T if tall else x).to(matrix.dtype)


def orthogonal_in_shares(matrix: Tensor, dtype: torch.dtype, processes: Processes) -> Tensor:
    """`orthogonal` for a matrix that all processes have, each of which computes a share of the result.

    Each process has a part of the longer side of x, with as many rows as the others and zeros at the end. In an
    iteration the processes add up x' x, and each multiplies its part of x by the same polynomial of it.
    """
    a, b, c = _COEFFICIENTS
    wide = matrix.shape[0] < matrix.shape[1]
    x = (matrix.T if wide else matrix).to(dtype)
    scale, rows = x.norm().clamp(min=1e-7), -(-len(x) // processes.size)
    own = x.new_zeros((rows, x.shape[1]))
    part = x[processes.rank * rows :][:rows]
    own[: len(part)] = part / scale
    for _ in range(_ITERATIONS):
        g = processes.sum_in_place((own.T @ own).float()).to(dtype)
        own = torch.addmm(own, own, torch.addmm(g, g, g, beta=b, alpha=c), beta=a)
    whole = processes.concatenate(own.to(matrix.dtype))[: len(x)]
    return whole.T if wide else whole


_UNDECAYED = ("prior.", "match.")
"""The order weights of a prior should stay near 1, not 0, and a gate of the match has no reason to be near 0."""
_KEYS = {torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"), Muon: ("momentum_buffer",)}
"""The state that each optimiser keeps for a weight."""


class Optimizers:
    """The optimisers of a model as one: Muon, and AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101)."""

    def __init__(self, model: LanguageModel, config: TrainConfig, processes: Processes | None = None) -> None:
        self._names = {parameter: name for name, parameter in model.named_parameters()}
        matrices = {id(matrix) for matrix in _inner_matrices(model)}
        inner, decayed, undecayed, labels = (list[nn.Parameter]() for _ in range(4))
        for parameter, name in self._names.items():
            if config.optimizer == "muon" and id(parameter) in matrices:
                inner.append(parameter)
            elif name.startswith("labels."):
                labels.append(parameter)
            elif parameter.ndim > 1 and not name.startswith(_UNDECAYED):
                decayed.append(parameter)
            else:
                undecayed.append(parameter)
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
        adamw = partial(torch.optim.AdamW, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
        self._parts: list[tuple[torch.optim.Optimizer, float]] = [(adamw(groups), 1.0)]
        if labels:
            factor = model.embedding_std * min(_LABEL_RATE, _MOST_LABEL_RATE / config.learning_rate)
            self._parts.append((adamw(labels, weight_decay=config.weight_decay), factor))
        if inner:
            dtype = torch.bfloat16 if computes_in_bfloat16(model, config.precision) else torch.float32
            self._parts.append(
                (Muon(inner, weight_decay=config.weight_decay, dtype=dtype, processes=processes), _MUON_RATE)
            )

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for part, _ in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self, rate: float) -> None:
        """Update the weights by their gradients; `rate` is AdamW's learning rate."""
        for part, factor in self._parts:
            for group in part.param_groups:
                group["lr"] = factor * rate
            part.step()

    def moments(self) -> dict[str, Tensor]:
        """The state kept for each weight, by WEIGHT/KIND; empty before the first step."""
        return {
            f"{name}/{key}": value
            for part, _ in self._parts
            for parameter, name in self._names.items()
            for key, value in part.state.get(parameter, {}).items()
        }

    def restore(self, moments: dict[str, Tensor]) -> None:
        """The inverse of `moments`.

        Raises KeyError for a missing tensor, ValueError for one that has a wrong shape or type or is not finite.
        """
        for part, _ in self._parts:
            for group in part.param_groups:
                for parameter in group["params"]:
                    name = self._names[parameter]
                    restored = {key: moments[f"{name}/{key}"].to(parameter.device) for key in _KEYS[type(part)]}
                    for key, value in restored.items():
                        like = value.new_zeros((), dtype=torch.float32) if key == "step" else parameter
                        if value.shape != like.shape or value.dtype != like.dtype or not value.isfinite().all():
                            raise ValueError(f"{key} of {name} has a wrong shape or type, or is not finite")
                    part.state[parameter] = restored


def _inner_matrices(model: LanguageModel) -> Iterator[Tensor]:
    """The state-to-state and layer-to-layer matrices."""
    for parameter in model.network.parameters():
        if parameter.ndim == 2 and parameter is not model.network.input_weights:
            yield parameter

"""How much of a gradient survives k steps of a recurrent layer, and the Jacobians it passes through.

The formula: dL_t/dW is a sum over k of dL_t/dh_t (prod_{i=t-k+1..t} dh_i/dh_{i-1}) dh_{t-k}/dW, and vanishes
or explodes with the norms of the factors (Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013, arXiv
1211.5063, equations 5 and 6). This module measures both: the gradient itself and the product of the norms.

Everything is computed in float64 and through `Cell.step`, so any cell can be measured and underflow comes late.
"""

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.analysis.gradients.decay_fit import DecayFit, fit_decay
from charlm.analysis.gradients.jacobians import jacobian_norms, path_products, spectral_radii
from charlm.analysis.gradients.unrolled import MEASURED, Unrolled
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent

_JACOBIAN_ROWS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class GradientFlow:
    """Gradient measurements of one model."""

    loss: float
    """Nats per token at the measured positions."""
    gradients: dict[str, list[float]]
    """For each state s of h and c: the norm of dL_t/ds_{t-k} at the lags k = 0 ... K, mean over positions and rows."""
    jacobian_products: dict[str, list[float]]
    """prod_{i=t-k+1..t} ||J_i||_2 at the lags 0 ... K, mean over the positions of two rows. J_i is ds_i/ds_{i-1} of the
    state s alone ("h" is the factor of the formula above); a cell with several states also has "all", their joint
    Jacobian. For a cell with one state the product is an upper bound on the gradient, which is usually far smaller."""
    spectral_radii: dict[str, float] | None
    """Of each gate's recurrent matrix; None if the cell has no recurrent matrix."""

    @property
    def memory(self) -> str:
        """The state meant to remember: c if the cell has one, otherwise h."""
        return "c" if "c" in self.gradients else "h"

    @property
    def decay(self) -> DecayFit:
        """Whether the gradient of the memory vanishes, explodes or is carried."""
        return fit_decay(self.gradients[self.memory])

    @property
    def spectral_radius(self) -> float | None:
        """The largest spectral radius of all gates."""
        return max(self.spectral_radii.values()) if self.spectral_radii else None

    def to_json(self) -> dict[str, Any]:
        """All measurements as JSON values."""
        return asdict(self) | {
            "spectral_radius": self.spectral_radius,
            "memory": self.memory,
            "verdict": asdict(self.decay),
        }


def measure(model: LanguageModel, ids: Tensor, *, lags: int, progress: Progress = silent) -> GradientFlow:
    """Measure the top layer of a model on a stretch of text.

    Args:
        model: the model to measure. It is not changed: a float64 copy without dropout is measured.
        ids: token ids, (S + 1, B) int64: S tokens read and S predicted, with S > K; each row starts from the initial
            state.
        lags: K, at least 1. The positions t are the last S - K, so each of them has all K lags.
        progress: receives how many positions and Jacobians are done.
    """
    model = copy.deepcopy(model).double().requires_grad_(False)
    unrolled = Unrolled.of(model, ids[:-1])
    norms, loss = gradient_norms(model, unrolled, ids[1:], lags=lags, progress=progress)
    products = {
        name: path_products(values, lags=lags).tolist()
        for name, values in jacobian_norms(unrolled, rows=_JACOBIAN_ROWS, progress=progress).items()
    }
    return GradientFlow(
        loss=loss,
        gradients={name: values.tolist() for name, values in norms.items()},
        jacobian_products=products,
        spectral_radii=spectral_radii(unrolled.layer),
    )


def gradient_norms(
    model: LanguageModel, unrolled: Unrolled, targets: Tensor, *, lags: int, progress: Progress = silent
) -> tuple[dict[str, Tensor], float]:
    """Mean norm of dL_t/ds_{t-k} for each measured state s, with one backward pass per position t.

    L_t is the cross-entropy at position t alone, in nats. The gradient is taken at the graph node s_{t-k}, so every
    path from it to L_t counts: dL_t/dc_{t-k} includes the path through h_{t-k}.

    Args:
        model: the model whose output layer computes the loss.
        unrolled: the S steps that `Unrolled.of` has run.
        targets: the token that follows each step, (S, B).
        lags: K, the largest number of steps to follow a gradient back.
        progress: receives how many positions are done.

    Returns:
        (K + 1,) for each state, mean over the positions K ... S - 1 and the rows; and the mean loss, nats per token.
    """
    names = unrolled.layer.cell.states
    columns = {name: names.index(name) for name in MEASURED if name in names}
    steps = len(unrolled.states)
    sums = {name: torch.zeros(lags + 1, dtype=torch.float64) for name in columns}
    nats = 0.0
    for position in range(lags, steps):
        logits = F.linear(unrolled.outputs[position], model.output_weight, model.output_bias)  # (B, V)
        loss = F.cross_entropy(logits, targets[position], reduction="sum")  # rows are independent: each has its own L_t
        nats += loss.item()
        nodes = [unrolled.states[position - lag][column] for column in columns.values() for lag in range(lags + 1)]
        gradients = torch.autograd.grad(loss, nodes, retain_graph=True, materialize_grads=True)
        norms = torch.stack(gradients).norm(dim=-1).mean(dim=-1)  # (states * (K + 1),)
        for name, part in zip(columns, norms.split(lags + 1), strict=True):
            sums[name] += part
        progress(f"gradients of {unrolled.layer.cell.name}", position - lags + 1, steps - lags)
    count = steps - lags
    return {name: total / count for name, total in sums.items()}, nats / count / targets.shape[1]

"""What takes the steps: Muon for the matrices inside the recurrent layers, AdamW for all other weights."""

import torch
from torch import Tensor, nn

from charlm.config import TrainConfig
from charlm.model import LanguageModel

_BOOST = 6.5
"""Muon's learning rate over AdamW's (docs/experiments.md)."""
_KEYS = {torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"), torch.optim.Muon: ("momentum_buffer",)}
"""What each remembers of a weight."""


class Optimizers:
    """The optimisers of a model, as one.

    AdamW is of Loshchilov and Hutter 2019 (arXiv 1711.05101). Muon takes the momentum of a matrix's gradient and makes
    all of its singular values nearly 1 by five Newton-Schulz iterations (Jordan 2024,
    https://kellerjordan.github.io/posts/muon/).
    """

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
            muon = torch.optim.Muon(inner, weight_decay=config.weight_decay, adjust_lr_fn="original")
            self._parts.append((muon, _BOOST))

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
        """The inverse of `moments`; raises KeyError for one that is missing, ValueError for one of another shape."""
        for part, _ in self._parts:
            for group in part.param_groups:
                for parameter in group["params"]:
                    name = self._names[parameter]
                    found = {key: moments[f"{name}/{key}"].to(parameter.device) for key in _KEYS[type(part)]}
                    if any(value.shape != parameter.shape for key, value in found.items() if key != "step"):
                        raise ValueError(f"the moments of {name} have another shape")
                    part.state[parameter] = found


def _is_inner(name: str, parameter: Tensor) -> bool:
    """Whether a weight is a matrix from state to state, or from layer to layer."""
    return parameter.ndim == 2 and name.startswith("recurrent.") and name != "recurrent.layers.0.input"

"""A model run step by step through `Cell.step`, so that every state is a node in the graph of gradients."""

from dataclasses import dataclass

from torch import Tensor

from charlm.cells import State
from charlm.model.language_model import LanguageModel
from charlm.model.layers import RecurrentLayer

MEASURED = ("h", "c")
"""States whose gradients are followed, where a cell has them; others are copies of the past."""


@dataclass(frozen=True, kw_only=True)
class Unrolled:
    """What the top layer read and came to, step by step, with the graph of gradients from state to state."""

    layer: RecurrentLayer
    inputs: list[Tensor]
    """x_s, (B, I)."""
    states: list[State]
    """After each step s, (B, H) each."""
    first: State
    """Before the first step."""
    outputs: list[Tensor]
    """What the output layer reads after each step, (B, H)."""

    @classmethod
    def of(cls, model: LanguageModel, ids: Tensor) -> "Unrolled":
        """Run a model over ids (S, B), from an empty past."""
        layers = [layer for layer in model.recurrent.layers if isinstance(layer, RecurrentLayer)]
        weights = [dict(layer.named_parameters()) for layer in layers]
        past = model.initial_state(ids.shape[1])
        now = [tuple(part.requires_grad_() for part in state) for state in past[: model.config.num_layers]]
        first = now[-1]
        inputs, states, outputs = [], [], []
        for x in model.inputs(ids, past)[0]:
            for index, layer in enumerate(layers):
                if layer is layers[-1]:
                    inputs.append(x)
                now[index] = layer.cell.step(x, now[index], weights[index])
                y = now[index][0]
                x = x + y if model.recurrent.residual and index > 0 else y
            states.append(now[-1])
            outputs.append(x)
        return cls(layer=layers[-1], inputs=inputs, states=states, first=first, outputs=outputs)

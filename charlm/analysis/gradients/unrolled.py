"""A model run step by step through `Cell.step`, so that every state is a node of the autograd graph."""

from dataclasses import dataclass

from torch import Tensor

from charlm.cells import State
from charlm.model.language_model import LanguageModel
from charlm.model.layers import RecurrentLayer

MEASURED = ("h", "c")
"""States whose gradients are measured, if the cell has them; other states are copies of past values."""


@dataclass(frozen=True, kw_only=True)
class Unrolled:
    """Inputs, states and outputs of the top layer at each step, connected in the autograd graph."""

    layer: RecurrentLayer
    inputs: list[Tensor]
    """x_s, (B, I)."""
    states: list[State]
    """After each step s, (B, H) each."""
    initial: State
    """Before the first step."""
    outputs: list[Tensor]
    """Input of the output layer after each step, (B, H)."""

    @classmethod
    def of(cls, model: LanguageModel, ids: Tensor) -> "Unrolled":
        """Run a model over ids (S, B) from its initial state."""
        layers = [layer for layer in model.recurrent.layers if isinstance(layer, RecurrentLayer)]
        weights = [dict(layer.named_parameters()) for layer in layers]
        model_states = model.initial_state(ids.shape[1])
        current = [tuple(part.requires_grad_() for part in state) for state in model_states[: model.config.num_layers]]
        initial = current[-1]
        inputs, states, outputs = [], [], []
        for x in model.inputs(ids, model_states)[0]:
            for index, layer in enumerate(layers):
                if layer is layers[-1]:
                    inputs.append(x)
                current[index] = layer.cell.step(x, current[index], weights[index])
                y = current[index][0]
                x = x + y if model.recurrent.residual and index > 0 else y
            states.append(current[-1])
            outputs.append(x)
        return cls(layer=layers[-1], inputs=inputs, states=states, initial=initial, outputs=outputs)

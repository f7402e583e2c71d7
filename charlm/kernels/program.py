"""A cell as a Program: matrix products and point-wise stages per step, with a hand-derived backward for each stage.

Stages are functions of named quantities. The names, in the forward pass:

    GATE            a block of the input projection, (B, H) per step; starts as V x + b, products add to it, and a stage
                    may replace it by its activation
    SAVED           another (B, H) per step, named by the Program
    h, c            the state before the step; `past` is the h of s steps back
    h_next, c_next  the state after the step
    BIAS            an extra bias of the cell, (H,), the same for all rows and steps

In the backward pass there are also

    dh, dc            gradient of the state after the step, complete; a stage may overwrite dc with the gradient of the
                      state before the step
    dh_before         gradient of the h before the step, accumulated so far; a stage adds to it
    d_GATE, d_SAVED   gradients of the gates and the saved quantities
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from charlm.kernels.symbolic import Values, gelu, sigmoid

State = tuple[Tensor, ...]
"""The state of a cell, (B, H) each, as in `charlm.cells`."""
Weights = Mapping[str, Tensor]
"""The weights of a cell, by name."""
Function = Callable[..., Values]
"""Takes quantities by name and returns the quantities that it writes, by name."""


def residual_sum(layer_input: Any, layer_output: Any) -> Values:
    """The input of the next layer with residual connections."""
    return {"next_input": layer_input + layer_output}


def gated_sum(value: Any, gate: Any, layer_input: Any) -> Values:
    """The input of the layer after a gated convolution, whose sum consists of value and gate."""
    return {"next_input": layer_input + value * sigmoid(gate)}


CONVOLUTION: tuple[Function, ...] = (gated_sum,)
"""All functions to compile for a network of convolutions."""


def gelu_of(inner: Any) -> Values:
    """What a transformer's layer makes of each unit of a token's own transformation."""
    return {"inner": gelu(inner)}


TRANSFORMER: tuple[Function, ...] = (gelu_of,)
"""All functions to compile for a transformer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """into += W[rows] of, computed before the point-wise part of a stage. A saved quantity is assigned instead."""

    of: str
    """h, past, or a saved quantity."""
    rows: tuple[str, ...]
    """Adjacent blocks of the weight matrix; empty if the whole matrix is used."""
    into: tuple[str, ...]
    """Gates that are adjacent in the input projection, or one saved quantity."""
    weight: str = "recurrent"
    """The name of the weight matrix."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Matrix products, then one point-wise pass over all elements, and the backward of that pass."""

    products: tuple[Product, ...] = ()
    forward: Function
    backward: Function


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Everything that a cell computes in a step, apart from the input projection."""

    gates: tuple[str, ...]
    """Blocks of the input projection; the cell's `gates`."""
    recurrent: tuple[str, ...]
    """Blocks of the recurrent weights; the cell's `recurrent`."""
    stages: tuple[Stage, ...]
    saved: tuple[str, ...] = ()
    """Names of the saved quantities."""
    states: tuple[str, ...] = ("h",)
    """h, or h and c. How far back `past` reaches follows from the length of the state at run time."""
    biases: dict[str, str] | None = None
    """For each extra bias, the gate or saved quantity whose gradient, summed over rows and steps, is its gradient."""

    @property
    def functions(self) -> tuple[Function, ...]:
        """All functions to compile: those of the stages, and `residual_sum` for stacks with residual connections."""
        return (residual_sum, *(function for stage in self.stages for function in (stage.forward, stage.backward)))


def reads(function: Any) -> tuple[str, ...]:
    """The names of the quantities that a stage's function reads."""
    return tuple(inspect.signature(function).parameters)

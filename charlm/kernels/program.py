"""A cell as a program: per step, matrix products and point-wise stages, each stage with its hand-derived backward.

Quantities have names, and a name says where a value lives while a window is computed:

    GATE        a block of the input projection, (B, H) per step; begins as V x + b, products add to it, a stage may
                replace it by its activation
    SAVED       a further (B, H) per step that the program names
    h, c        the state before the step; `past` is the h of s steps back
    h_next, c_next  the state after it
    NAME of an extra bias   (H,), the same for all rows and steps

and in the backward pass

    dh, dc      gradient of the state after the step, complete; a stage may rewrite dc, to that of the state before
    dh_before   gradient of the h before the step, as far as it is known; a stage adds to it
    d_GATE, d_SAVED    gradients of the former
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charlm.kernels.symbolic import Values

Function = Callable[..., Values]
"""Takes quantities by name, and gives by name those it writes."""


def add(below: Any, own: Any) -> Values:
    """The input of a layer plus its output."""
    return {"above": below + own}


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """into += W[rows] of, before the point-wise part of a stage; an `into` that isn't a gate is set, not added to."""

    of: str
    """h, past, or a saved quantity."""
    rows: tuple[str, ...]
    """Blocks of the recurrent weights, neighbours there; of `weight`, all of it, where that is no block matrix."""
    into: tuple[str, ...]
    """Gates, neighbours in the input projection, or one saved quantity."""
    weight: str = "recurrent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Products, then one pass over all elements; and that pass backwards."""

    products: tuple[Product, ...] = ()
    forward: Function
    backward: Function


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """All that is done in a step."""

    gates: tuple[str, ...]
    """Blocks of the input projection, as in the cell."""
    recurrent: tuple[str, ...]
    """Blocks of the recurrent weights, as in the cell."""
    stages: tuple[Stage, ...]
    saved: tuple[str, ...] = ()
    states: tuple[str, ...] = ("h",)
    """h, or h and c; of a program with `past` the depth is that of the state it is given."""
    biases: dict[str, str] | None = None
    """Extra biases, and the gate or saved quantity whose gradient, summed, is theirs."""

    @property
    def functions(self) -> tuple[Function, ...]:
        """The point-wise parts of all stages, and `add`, which stacks of layers with residual connections need."""
        return (add, *(function for stage in self.stages for function in (stage.forward, stage.backward)))


def reads(function: Any) -> tuple[str, ...]:
    """The quantities that a stage's function asks for."""
    return tuple(inspect.signature(function).parameters)

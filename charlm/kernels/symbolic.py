"""Point-wise arithmetic that is written once and runs in two ways: on tensors by torch, or as a loop in C.

A stage of a Program (see `charlm.kernels.program`) is a Python function of named quantities. Called with tensors, it
computes. Called with symbols, it records each operation as a line of C, and `c_statements` returns these lines.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Values = Mapping[str, Any]
"""Quantities by name: tensors of one shape, or symbols."""


class Symbol:
    """A variable of generated C. Arithmetic on it appends a line to the shared list of lines."""

    def __init__(self, lines: list[str], name: str) -> None:
        self._lines = lines
        self.name = name

    def _new(self, expression: str) -> "Symbol":
        name = f"t{len(self._lines)}"
        self._lines.append(f"const REAL {name} = {expression};")
        return Symbol(self._lines, name)

    def call(self, function: str) -> "Symbol":
        """function(self)."""
        return self._new(f"{function}({self.name})")

    def __add__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} + {_c_operand(other)}")

    def __sub__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} - {_c_operand(other)}")

    def __rsub__(self, other: int) -> "Symbol":
        return self._new(f"{_c_operand(other)} - {self.name}")

    def __mul__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} * {_c_operand(other)}")


def _c_operand(value: "Symbol | int") -> str:
    return value.name if isinstance(value, Symbol) else f"(REAL){value}"


def _pointwise(torch_function: Callable[[Tensor], Tensor], c_function: str) -> Callable[[Any], Any]:
    """A function that works on tensors and on symbols."""

    def function(x: Any) -> Any:
        return x.call(c_function) if isinstance(x, Symbol) else torch_function(x)

    return function


sigmoid = _pointwise(torch.sigmoid, "SIGMOID")
tanh = _pointwise(torch.tanh, "TANH")
relu = _pointwise(torch.relu, "RELU")
positive = _pointwise(lambda x: (x > 0).to(x.dtype), "POSITIVE")
"""1 where x > 0, else 0: the derivative of relu."""


def c_statements(function: Callable[..., Values], reads: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The lines of C that compute what `function` returns, and the C variable of each result, by name.

    Each quantity in `reads` is the C variable `in_NAME`.
    """
    lines: list[str] = []
    results = function(**{name: Symbol(lines, f"in_{name}") for name in reads})
    return lines, {name: symbol.name for name, symbol in results.items()}

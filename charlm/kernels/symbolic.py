"""Point-wise arithmetic that is written once and runs two ways: on tensors by torch, or as one loop of C.

A stage of a kernel (see `charlm.kernels.program`) is a Python function of named quantities. Given tensors it computes;
given symbols it leaves a trace from which `c_statements` writes the body of a loop.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Values = Mapping[str, Any]
"""Quantities by name: tensors of one shape, or symbols."""


class Symbol:
    """A quantity in a trace: a C expression that has a name."""

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
        return self._new(f"{self.name} + {_c(other)}")

    def __sub__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} - {_c(other)}")

    def __rsub__(self, other: int) -> "Symbol":
        return self._new(f"{_c(other)} - {self.name}")

    def __mul__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} * {_c(other)}")


def _c(value: "Symbol | int") -> str:
    return value.name if isinstance(value, Symbol) else f"(REAL){value}"


def _either(on_tensors: Callable[[Tensor], Tensor], in_c: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return x.call(in_c) if isinstance(x, Symbol) else on_tensors(x)

    return function


sigmoid = _either(torch.sigmoid, "SIGMOID")
tanh = _either(torch.tanh, "TANH")
relu = _either(torch.relu, "RELU")
positive = _either(lambda x: (x > 0).to(x.dtype), "POSITIVE")
"""1 where x > 0, else 0: the slope of relu."""


def c_statements(function: Callable[..., Values], reads: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The lines of C that compute what `function` returns, and by the name of each result the variable it is in.

    A quantity that is read is the variable `in_NAME`.
    """
    lines: list[str] = []
    results = function(**{name: Symbol(lines, f"in_{name}") for name in reads})
    return lines, {name: symbol.name for name, symbol in results.items()}

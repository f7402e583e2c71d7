"""Point-wise arithmetic that is written once and runs on tensors by torch, or as a loop in another language.

A stage of a Program (see `charlm.kernels.program`) is a Python function of named quantities. Called with tensors, it
computes. Called with symbols, it records each operation as a line of C or JavaScript, and `statements` returns these
lines.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Values = Mapping[str, Any]
"""Quantities by name: tensors of one shape, or symbols."""


class Language(NamedTuple):
    """What differs between the languages in which symbols record their operations."""

    declaration: str
    """What precedes the name of a new variable."""
    whole_number: str
    """Precedes a whole number."""


C = Language("const REAL", "(REAL)")
JAVASCRIPT = Language("const", "")


class Symbol:
    """A variable of generated code. Arithmetic on it appends a line to the shared list of lines."""

    def __init__(self, lines: list[str], name: str, language: Language) -> None:
        self._lines = lines
        self.name = name
        self._language = language

    def _new(self, expression: str) -> "Symbol":
        name = f"t{len(self._lines)}"
        self._lines.append(f"{self._language.declaration} {name} = {expression};")
        return Symbol(self._lines, name, self._language)

    def _operand(self, value: "Symbol | int") -> str:
        return value.name if isinstance(value, Symbol) else f"{self._language.whole_number}{value}"

    def call(self, function: str) -> "Symbol":
        """function(self)."""
        return self._new(f"{function}({self.name})")

    def __add__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} + {self._operand(other)}")

    def __sub__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} - {self._operand(other)}")

    def __rsub__(self, other: int) -> "Symbol":
        return self._new(f"{self._operand(other)} - {self.name}")

    def __mul__(self, other: "Symbol | int") -> "Symbol":
        return self._new(f"{self.name} * {self._operand(other)}")


def _pointwise(torch_function: Callable[[Tensor], Tensor], name: str) -> Callable[[Any], Any]:
    """A function that works on tensors and on symbols."""

    def function(x: Any) -> Any:
        return x.call(name) if isinstance(x, Symbol) else torch_function(x)

    return function


sigmoid = _pointwise(torch.sigmoid, "SIGMOID")
tanh = _pointwise(torch.tanh, "TANH")
relu = _pointwise(torch.relu, "RELU")
gelu = _pointwise(F.gelu, "GELU")
positive = _pointwise(lambda x: (x > 0).to(x.dtype), "POSITIVE")
"""1 where x > 0, else 0: the derivative of relu."""


def statements(
    function: Callable[..., Values], reads: tuple[str, ...], language: Language = C
) -> tuple[list[str], dict[str, str]]:
    """The lines that compute what `function` returns, and the variable of each result, by name.

    Each quantity in `reads` is the variable `in_NAME`.
    """
    lines: list[str] = []
    results = function(**{name: Symbol(lines, f"in_{name}", language) for name in reads})
    return lines, {name: symbol.name for name, symbol in results.items()}

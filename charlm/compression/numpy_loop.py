"""The step loop of charlm's kernels in NumPy, and sums in the order of the portable C code."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.compression import float32
from charlm.kernels.buffers import Buffer
from charlm.kernels.program import Function, reads
from charlm.kernels.symbolic import Symbol

_SUMS = 4  # of a product, `single_row` in loop.h
_DOT_SUMS = 16  # `dot` in step.c
Singles = NDArray[np.float32]


class _Quantity(Symbol):
    """A quantity of a stage as float32 numbers."""

    _FUNCTIONS = {"SIGMOID": float32.sigmoid, "TANH": float32.tanh, "RELU": float32.relu}  # noqa: RUF012

    def __init__(self, values: Singles) -> None:
        self.values = values

    def call(self, function: str) -> "_Quantity":
        """See `Symbol.call`."""
        return _Quantity(self._FUNCTIONS[function](self.values))

    def __add__(self, other: "Symbol | int") -> "_Quantity":
        return _Quantity(self.values + _values(other))

    def __sub__(self, other: "Symbol | int") -> "_Quantity":
        return _Quantity(self.values - _values(other))

    def __rsub__(self, other: int) -> "_Quantity":
        return _Quantity(np.float32(other) - self.values)

    def __mul__(self, other: "Symbol | int") -> "_Quantity":
        return _Quantity(self.values * _values(other))


def _values(operand: "Symbol | int") -> Any:
    return operand.values if isinstance(operand, _Quantity) else np.float32(operand)  # type: ignore[arg-type]


class NumpyLoop:
    """A `charlm.kernels.buffers.StepLoop` for one row."""

    def __init__(self) -> None:
        self._operations: list[Callable[[int], None]] = []

    def product(self, source: Buffer, matrix: Any, target: Buffer, *, add: bool) -> None:
        """See `StepLoop.product`."""
        packed = np.ascontiguousarray(matrix.numpy().T)  # (K, N)

        def run(step: int) -> None:
            result = vector_product(source.at(step).numpy()[0], packed)
            to = target.at(step).numpy()[0]
            to[:] = to + result if add else result

        self._operations.append(run)

    def stage(self, function: Function, buffers: dict[str, Buffer]) -> None:
        """See `StepLoop.stage`."""
        names = reads(function)

        def run(step: int) -> None:
            quantities = {name: _Quantity(buffers[name].at(step).numpy().copy()) for name in names}
            for name, value in function(**quantities).items():
                buffers[name].at(step).numpy()[:] = value.values

        self._operations.append(run)

    def run(self, first: int, count: int, increment: int) -> None:
        """See `StepLoop.run`."""
        for step in range(first, first + increment * count, increment):
            for operation in self._operations:
                operation(step)


def vector_product(x: Singles, matrix: Singles) -> Singles:
    """x (K,) times a matrix (K, N), by `_SUMS` sums, as `single_row` in loop.h."""
    terms = matrix * x[:, None]
    whole = len(x) - len(x) % _SUMS
    first, *others = (float32.ordered_sum(terms[k:whole:_SUMS]) for k in range(_SUMS))
    for term in terms[whole:]:
        first = first + term
    return (first + others[0]) + (others[1] + others[2])


def linear(inputs: Singles, matrix: Singles, bias: Singles) -> Singles:
    """inputs (R, K) matrix^T (K, N) + bias, (R, N), as `linear` in `charlm.kernels.compiled`."""
    result = np.zeros((len(inputs), len(matrix)), np.float32)
    for k in range(inputs.shape[1]):
        result = result + matrix[None, :, k] * inputs[:, k, None]
    return bias + result


def dot(matrix: Singles, x: Singles) -> Singles:
    """matrix (J, K) times x (K,), as `dot` in step.c."""
    terms = matrix * x
    whole = len(x) - len(x) % _DOT_SUMS
    total = float32.ordered_sum(terms[:, whole:], 1)
    for k in range(_DOT_SUMS):
        total = total + float32.ordered_sum(terms[:, k:whole:_DOT_SUMS], 1)
    return total

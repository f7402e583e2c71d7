"""Where the quantities of a Program are stored while it runs over a window, and the loop that runs it."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor

from charlm.kernels.program import Function, reads


class Buffer(NamedTuple):
    """Where a quantity is stored.

    In step t it is tensor[t + offset], (B, H). A tensor (B, H) or (H,) is shared by all steps.
    """

    tensor: Tensor
    offset: int = 0

    @property
    def is_per_step(self) -> bool:
        """Whether each step has a separate slice."""
        return self.tensor.ndim == 3

    def at(self, step: int) -> Tensor:
        """The quantity in a step."""
        return self.tensor[step + self.offset] if self.is_per_step else self.tensor

    def flat(self, count: int) -> Tensor:
        """The first T = `count` steps as one matrix, (T B, H)."""
        return self.tensor[self.offset : self.offset + count].flatten(0, 1)

    def address(self) -> tuple[int, int, int]:
        """The address in step 0, the time stride and the row stride, in bytes; the elements of a row are adjacent."""
        size, strides = self.tensor.element_size(), self.tensor.stride()
        if not self.is_per_step:
            return self.tensor.data_ptr(), 0, strides[0] * size if self.tensor.ndim == 2 else 0
        return self.tensor.data_ptr() + self.offset * strides[0] * size, strides[0] * size, strides[1] * size


Buffers = dict[str, Buffer]
"""Buffers by the name of the quantity."""


class StepLoop(Protocol):
    """A list of operations that make up a step. It is collected first and then run for many steps."""

    def product(self, source: Buffer, matrix: Tensor, target: Buffer, *, add: bool) -> None:
        """Append target (+)= source matrix^T, with a matrix (N, K)."""

    def stage(self, function: Function, buffers: Buffers) -> None:
        """Append a point-wise stage."""

    def run(self, first: int, count: int, increment: int) -> None:
        """Run the operations for `count` steps from step `first`: forwards with `increment` 1, backwards with -1."""


class TorchLoop:
    """A step loop of torch operations."""

    def __init__(self, *, bfloat16: bool = False) -> None:
        """With `bfloat16`, the operands of products are rounded to bfloat16."""
        self._operations: list[Callable[[int], object]] = []
        self._bfloat16 = bfloat16

    def product(self, source: Buffer, matrix: Tensor, target: Buffer, *, add: bool) -> None:
        """See `StepLoop.product`."""
        if self._bfloat16:
            rounded = matrix.T.bfloat16()

            def run(step: int) -> None:
                result = (source.at(step).bfloat16() @ rounded).to(matrix.dtype)
                target.at(step).copy_(target.at(step) + result if add else result)

            self._operations.append(run)
        elif add:
            self._operations.append(lambda step: target.at(step).addmm_(source.at(step), matrix.T))
        else:
            self._operations.append(lambda step: target.at(step).copy_(source.at(step) @ matrix.T))

    def stage(self, function: Function, buffers: Buffers) -> None:
        """See `StepLoop.stage`."""
        names = reads(function)

        def run(step: int) -> None:
            for name, value in function(**{name: buffers[name].at(step) for name in names}).items():
                buffers[name].at(step).copy_(value)

        self._operations.append(run)

    def run(self, first: int, count: int, increment: int) -> None:
        """See `StepLoop.run`."""
        for step in range(first, first + increment * count, increment):
            for operation in self._operations:
                operation(step)

"""Where the quantities of a Program are stored while it runs through time, and what runs it."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor

from charlm.kernels.program import Function, reads


class Buffer(NamedTuple):
    """Where a quantity is stored: in step t it is tensor[t + offset], (B, H); a tensor (B, H) or (H,) serves all steps."""

    tensor: Tensor
    offset: int = 0

    @property
    def moves(self) -> bool:
        """Whether each step has a slice of its own."""
        return self.tensor.ndim == 3

    def at(self, step: int) -> Tensor:
        """The quantity in a step."""
        return self.tensor[step + self.offset] if self.moves else self.tensor

    def flat(self, count: int) -> Tensor:
        """The first `count` steps as one matrix, (T B, H)."""
        return self.tensor[self.offset : self.offset + count].flatten(0, 1)

    def address(self) -> tuple[int, int, int]:
        """Address in step 0, time stride and row stride, in bytes; the elements of a row are adjacent."""
        size, strides = self.tensor.element_size(), self.tensor.stride()
        if not self.moves:
            return self.tensor.data_ptr(), 0, strides[0] * size if self.tensor.ndim == 2 else 0
        return self.tensor.data_ptr() + self.offset * strides[0] * size, strides[0] * size, strides[1] * size


Buffers = dict[str, Buffer]
"""By the name of the quantity."""


class StepLoop(Protocol):
    """The operations of every step, collected first and then run for many steps."""

    def product(self, source: Buffer, matrix: Tensor, target: Buffer, *, add: bool) -> None:
        """Next, target (+)= source matrix^T, with a matrix (N, K)."""

    def stage(self, function: Function, buffers: Buffers) -> None:
        """Next, a point-wise stage."""

    def run(self, first: int, count: int, direction: int) -> None:
        """Run all of it for `count` steps, from step `first` forwards (1) or backwards (-1)."""


class TorchLoop:
    """A loop of torch operations."""

    def __init__(self, *, bfloat16: bool = False) -> None:
        """With `bfloat16` the operands of products are rounded to bfloat16."""
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

    def run(self, first: int, count: int, direction: int) -> None:
        """See `StepLoop.run`."""
        for step in range(first, first + direction * count, direction):
            for operation in self._operations:
                operation(step)

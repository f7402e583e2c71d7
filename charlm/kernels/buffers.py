"""Where the quantities of a program live while a window is computed."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor

from charlm.kernels.program import Function, reads


class Buffer(NamedTuple):
    """Where a quantity lives: in step t it is tensor[t + offset], (B, H); a tensor of (B, H) or (H,) serves all."""

    tensor: Tensor
    offset: int = 0

    @property
    def moves(self) -> bool:
        """Whether each step has its own."""
        return self.tensor.ndim == 3

    def at(self, step: int) -> Tensor:
        """The quantity in a step."""
        return self.tensor[step + self.offset] if self.moves else self.tensor

    def flat(self, count: int) -> Tensor:
        """All steps as one matrix, (T B, H)."""
        return self.tensor[self.offset : self.offset + count].flatten(0, 1)

    def address(self) -> tuple[int, int, int]:
        """Address in step 0, time stride and row stride, in bytes; elements of a row are adjacent."""
        size, strides = self.tensor.element_size(), self.tensor.stride()
        if not self.moves:
            return self.tensor.data_ptr(), 0, strides[0] * size if self.tensor.ndim == 2 else 0
        return self.tensor.data_ptr() + self.offset * strides[0] * size, strides[0] * size, strides[1] * size


Buffers = dict[str, Buffer]


class StepLoop(Protocol):
    """What is to be done in every step of a window, and the doing of it."""

    def product(self, source: Buffer, matrix: Tensor, target: Buffer, *, add: bool) -> None:
        """Then target (+)= source matrix^T, with a matrix (n H, K)."""

    def stage(self, function: Function, places: Buffers) -> None:
        """Then a point-wise stage."""

    def run(self, first: int, count: int, direction: int) -> None:
        """Do it all for `count` steps from `first` on, in this direction."""


class TorchLoop:
    """A window by torch's operations."""

    def __init__(self, *, brief: bool = False) -> None:
        """`brief` rounds what goes into a product to bfloat16."""
        self._todo: list[Callable[[int], object]] = []
        self._brief = brief

    def product(self, source: Buffer, matrix: Tensor, target: Buffer, *, add: bool) -> None:
        """See `StepLoop.product`."""
        if self._brief:
            short = matrix.T.bfloat16()

            def run(step: int) -> None:
                found = (source.at(step).bfloat16() @ short).to(matrix.dtype)
                target.at(step).copy_(target.at(step) + found if add else found)

            self._todo.append(run)
        elif add:
            self._todo.append(lambda step: target.at(step).addmm_(source.at(step), matrix.T))
        else:
            self._todo.append(lambda step: target.at(step).copy_(source.at(step) @ matrix.T))

    def stage(self, function: Function, places: Buffers) -> None:
        """See `StepLoop.stage`."""
        asked = reads(function)

        def run(step: int) -> None:
            for name, value in function(**{name: places[name].at(step) for name in asked}).items():
                places[name].at(step).copy_(value)

        self._todo.append(run)

    def run(self, first: int, count: int, direction: int) -> None:
        """See `StepLoop.run`."""
        for step in range(first, first + direction * count, direction):
            for do in self._todo:
                do(step)

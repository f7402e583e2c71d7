"""Programs as compiled code: C generated from the stages of a Program, compiled once and kept in the cache.

Torch makes a pass and a temporary for every operation of a point-wise stage, and packs the weights of a product again
in every step. The C code makes one pass per stage, packs the weights once per window, and runs all steps of a window in
one call on as many threads as torch has. Without a C compiler `program_library` returns None, and torch runs the same
Program more slowly.
"""

import ctypes
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from charlm.kernels.buffers import Buffer, Buffers
from charlm.kernels.program import Function, reads
from charlm.kernels.symbolic import statements
from charlm.native.compiler import shared_library
from charlm.native.prebuilt import PORTABLE
from charlm.native.structures import Operation

_SUFFIXES = {torch.float32: "float", torch.float64: "double"}

_TILES = 12
"""Rows that are a multiple of every `TILE` of `functions.h`."""

_BEGIN_TYPE = """
#define REAL {real}
#define NAME(x) x##_{real}
#define SIGMOID sigmoid_{real}
#define TANH tanh_{real}
#define GELU gelu_{real}
#include "loop.h"
"""
_END_TYPE = "".join(f"#undef {name}\n" for name in ("REAL", "NAME", "SIGMOID", "TANH", "GELU"))
_STAGE = """
void NAME({name})(const int64_t *table, long t, long rows, long from, long to) {{
    for (long row = 0; row < rows; row++) {{
{pointers}
INDEPENDENT
        for (long j = from; j < to; j++) {{
{body}
        }}
    }}
}}
"""


class Library:
    """The compiled code of a Program for one dtype."""

    def __init__(self, code: ctypes.CDLL, dtype: torch.dtype, functions: tuple[Function, ...]) -> None:
        suffix = _SUFFIXES[dtype]
        self.run, self._pack = getattr(code, f"run_{suffix}"), getattr(code, f"pack_{suffix}")
        self._pack_pairs = code.pack_pairs
        self.run.argtypes = [ctypes.c_void_p] + [ctypes.c_long] * 7 + [ctypes.c_void_p, ctypes.c_long]
        for pack in (self._pack, self._pack_pairs):
            pack.argtypes = [ctypes.c_void_p] + [ctypes.c_long] * 5 + [ctypes.c_void_p, ctypes.c_long]
            pack.restype = None
        self.run.restype = None
        level = int(code.has_bfloat16()) if dtype == torch.float32 else 0
        self.has_bfloat16 = level > 0
        """Whether the processor has bfloat16 instructions."""
        self.has_amx = level > 1
        """Whether the processor has AMX matrix instructions."""
        self.panel = int(getattr(code, f"panel_{suffix}")())
        """Number of columns in a panel of packed weights."""
        self.stages = {
            function: ctypes.cast(getattr(code, f"stage{index}_{suffix}"), ctypes.c_void_p).value or 0
            for index, function in enumerate(functions)
        }

    def pack(self, matrix: Tensor, width: int, *, bfloat16: bool = False) -> "PackedMatrix":
        """Pack a matrix (N, K) for products: blocks of `width` rows if N is a multiple of `width`, else one block."""
        columns, depth = matrix.shape
        blocks = columns // width if columns % width == 0 else 1
        width = columns // blocks
        lanes = -(-depth // 2) if bfloat16 else depth  # two bfloat16 numbers share a lane
        numbers = torch.empty(
            blocks * -(-width // self.panel) * self.panel * lanes, dtype=torch.int32 if bfloat16 else matrix.dtype
        )
        pack = self._pack_pairs if bfloat16 else self._pack
        pack(
            matrix.data_ptr(),
            matrix.stride(1),
            matrix.stride(0),
            blocks,
            width,
            depth,
            numbers.data_ptr(),
            torch.get_num_threads(),
        )
        return PackedMatrix(numbers, blocks, width, depth, lanes)

    def linear(self, inputs: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
        """inputs (R, K) matrix^T (K, N) + bias, (R, N), each number by one sum from left to right.

        The rows are filled up to a multiple of 12, so that all of them go through tiles (`loop.h`) of any processor.
        """
        rows, columns = len(inputs), len(matrix)
        padded = torch.zeros(-(-rows // _TILES) * _TILES, inputs.shape[1])
        padded[:rows] = inputs
        outputs = torch.zeros(len(padded), columns)
        if bias is not None:
            outputs += bias
        loop = CompiledLoop(self, len(padded), columns)
        loop.product(Buffer(padded), matrix.contiguous(), Buffer(outputs), add=True)
        loop.run(0, 1, 1)
        return outputs[:rows].contiguous()


class PackedMatrix(NamedTuple):
    """A matrix (blocks * width, depth), packed for the compiled products."""

    numbers: Tensor
    blocks: int
    width: int
    depth: int
    lanes: int
    """Elements of `numbers` for each row of the matrix."""


class CompiledLoop:
    """A step loop of compiled operations; see `charlm.kernels.buffers.StepLoop`."""

    def __init__(self, library: Library, rows: int, hidden_size: int, *, bfloat16: bool = False) -> None:
        """A loop over quantities (rows, hidden_size).

        With `bfloat16`, the operands of products are rounded to bfloat16; this needs `library.has_bfloat16`.
        """
        self._library, self._rows, self._hidden_size, self._bfloat16 = library, rows, hidden_size, bfloat16
        self._most_lanes = 0
        self._operations: list[Operation] = []
        self._references: list[object] = []  # memory that the operations point to

    def product(self, source: Buffer, matrix: Tensor | PackedMatrix, target: Buffer, *, add: bool) -> None:
        """See `StepLoop.product`."""
        packed = matrix
        if isinstance(packed, Tensor):
            packed = self._library.pack(packed, self._hidden_size, bfloat16=self._bfloat16)
        self._references += [packed, source, target]
        self._most_lanes = max(self._most_lanes, packed.lanes)
        source_address, source_time, source_row = source.address()
        target_address, target_time, target_row = target.address()
        self._operations.append(
            Operation(
                kind=Operation.BFLOAT16_PRODUCT if self._bfloat16 else Operation.PRODUCT,
                source=source_address,
                source_time=source_time,
                source_row=source_row,
                target=target_address,
                target_time=target_time,
                target_row=target_row,
                weights=packed.numbers.data_ptr(),
                depth=packed.depth,
                blocks=packed.blocks,
                width=packed.width,
                add=int(add),
            )
        )

    def stage(self, function: Function, buffers: Buffers) -> None:
        """See `StepLoop.stage`."""
        addresses = [number for name in operands(function) for number in buffers[name].address()]
        table = (ctypes.c_int64 * len(addresses))(*addresses)
        self._references += [table, buffers]
        self._operations.append(
            Operation(kind=Operation.STAGE, stage=self._library.stages[function], table=ctypes.addressof(table))
        )

    def row_stage(self, function: int, arguments: ctypes.Structure) -> None:
        """Append a handwritten stage that reads whole rows (`ROW_STAGE` in `functions.h`), by its address."""
        self._references.append(arguments)
        self._operations.append(Operation(kind=Operation.ROW_STAGE, stage=function, table=ctypes.addressof(arguments)))

    def operations(self) -> "ctypes.Array[Operation]":
        """All operations as one array, which is valid as long as this loop exists."""
        return (Operation * len(self._operations))(*self._operations)

    def run(self, first: int, count: int, increment: int) -> None:
        """See `StepLoop.run`."""
        threads = torch.get_num_threads()
        size = self._rows * self._most_lanes if self._bfloat16 else 0
        scratch = torch.empty(threads * size, dtype=torch.int32)
        self._library.run(
            self.operations(),
            len(self._operations),
            first,
            count,
            increment,
            self._rows,
            self._hidden_size,
            threads,
            scratch.data_ptr(),
            size,
        )


def operands(function: Function) -> tuple[str, ...]:
    """The quantities in a stage's table, in order: first those it reads, then those it only writes."""
    names = reads(function)
    _, results = statements(function, names)
    return names + tuple(name for name in results if name not in names)


def write_stage(name: str, function: Function) -> str:
    """The C function of a stage. Its table has the address, time stride and row stride of each operand, in bytes."""
    names = reads(function)
    lines, results = statements(function, names)
    pad = " " * 12
    place = {operand: k for k, operand in enumerate(operands(function))}
    pointers = [
        f"{pad[4:]}REAL *p{k} = (REAL *)(table[{3 * k}] + t * table[{3 * k + 1}] + row * table[{3 * k + 2}]);"
        for k in place.values()
    ]
    body = [f"{pad}const REAL in_{operand} = p{place[operand]}[j];" for operand in names]
    body += [pad + line for line in lines]
    body += [f"{pad}p{place[result]}[j] = {variable};" for result, variable in results.items()]
    return _STAGE.format(name=name, pointers="\n".join(pointers), body="\n".join(body))


def write_c(functions: tuple[Function, ...]) -> str:
    """The C source of a Program: its stages and the loop of `native/sources/loop.h`, for each dtype."""
    stages = "".join(write_stage(f"stage{index}", function) for index, function in enumerate(functions))
    types = [_BEGIN_TYPE.format(real=real) + stages + _END_TYPE for real in _SUFFIXES.values()]
    return "".join(['#include "functions.h"\n#include "bfloat16.h"\n', *types])


@cache
def program_library(functions: tuple[Function, ...], dtype: torch.dtype) -> Library | None:
    """The compiled code of a Program's stages; None if it can't be compiled."""
    code = shared_library(write_c(functions)) if dtype in _SUFFIXES else None
    return None if code is None else Library(code, dtype, functions)


@cache
def portable_library(functions: tuple[Function, ...]) -> Library | None:
    """`program_library` in float32 whose numbers are the same on every machine (`charlm.native.prebuilt.PORTABLE`)."""
    code, dtype = shared_library(PORTABLE + write_c(functions)), torch.float32
    return None if code is None else Library(code, dtype, functions)

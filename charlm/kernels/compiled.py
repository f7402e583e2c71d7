"""Programs as compiled code: C is written from the trace of their stages, compiled once and kept in the cache.

Torch makes a pass and a temporary for each operation of a point-wise stage, and lays the weights of a product out anew
in every step. `functions.c`, `bfloat16.c` and `window.c`, beside this file, make one pass for a stage, lay the weights
out once for a window, and run all of its steps in one call, on torch's own threads. Where there is no C compiler, or
CHARLM_NATIVE=0 says so (see `charlm.native.compiler`), `library` is None: the window is then run by torch, slower and the
same.
"""

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from charlm import native
from charlm.kernels.buffers import Buffer, Buffers
from charlm.kernels.program import Function, reads
from charlm.kernels.symbolic import c_statements
from charlm.native.compiler import shared_library

_STAGE_OF, _PRODUCT, _IN_PAIRS = 0, 1, 2  # kinds of operations
_SUFFIXES = {torch.float32: "float", torch.float64: "double"}

_BEGIN_TYPE = """
#define REAL {real}
#define NAME(x) x##_{real}
#define SIGMOID sigmoid_{real}
#define TANH tanh_{real}
"""
_END_TYPE = "".join(f"#undef {name}\n" for name in ("REAL", "NAME", "SIGMOID", "TANH"))
_STAGE = """
void NAME({name})(const long long *table, long t, long rows, long from, long to) {{
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
    """The compiled code of a program for one dtype."""

    def __init__(self, code: ctypes.CDLL, dtype: torch.dtype, functions: tuple[Function, ...]) -> None:
        suffix = _SUFFIXES[dtype]
        self.run, self.pack = getattr(code, f"run_{suffix}"), getattr(code, f"pack_{suffix}")
        self.pack_pairs = code.pack_pairs
        self.run.argtypes = [ctypes.c_void_p, *[ctypes.c_long] * 7, ctypes.c_void_p, ctypes.c_long]
        for pack in (self.pack, self.pack_pairs):
            pack.argtypes = [ctypes.c_void_p, *[ctypes.c_long] * 5, ctypes.c_void_p, ctypes.c_long]
            pack.restype = None
        self.run.restype = None
        found = int(code.has_bfloat16()) if dtype == torch.float32 else 0
        self.has_bfloat16 = found > 0
        """Whether the processor has instructions for products of bfloat16 numbers."""
        self.has_matrices = found > 1
        """Whether it makes them of whole matrices."""
        self.panel = int(getattr(code, f"panel_{suffix}")())
        self.stages = {
            function: ctypes.cast(getattr(code, f"stage{index}_{suffix}"), ctypes.c_void_p).value or 0
            for index, function in enumerate(functions)
        }


class CompiledLoop:
    """A window by compiled code; see `charlm.kernels.buffers.StepLoop`."""

    def __init__(self, library: Library, rows: int, width: int, *, brief: bool = False) -> None:
        """Steps of (rows, width); `brief` makes products of bfloat16 numbers, where the library can."""
        self._library, self._rows, self._width = library, rows, width
        self._brief, self._pack = brief, library.pack_pairs if brief else library.pack
        self._deepest = 0
        self._operations: list[list[int]] = []
        self._kept: list[object] = []  # what the operations point to

    def product(self, source: Buffer, matrix: Tensor, target: Buffer, *, add: bool) -> None:
        """See `StepLoop.product`."""
        columns, depth = matrix.shape
        blocks, panel = columns // self._width, self._library.panel
        lanes = -(-depth // 2) if self._brief else depth  # of a column
        packed = matrix.new_empty(
            blocks * -(-self._width // panel) * panel * lanes, dtype=torch.int32 if self._brief else matrix.dtype
        )
        self._pack(
            *(matrix.data_ptr(), matrix.stride(1), matrix.stride(0), blocks, self._width, depth),
            *(packed.data_ptr(), torch.get_num_threads()),
        )
        self._kept.append(packed)
        self._deepest = max(self._deepest, lanes)
        kind = _IN_PAIRS if self._brief else _PRODUCT
        self._operations.append(
            [kind, *source.address(), packed.data_ptr(), depth, *target.address(), blocks, int(add)]
        )

    def stage(self, function: Function, places: Buffers) -> None:
        """See `StepLoop.stage`."""
        addresses = [number for name in operands(function) for number in places[name].address()]
        table = (ctypes.c_longlong * len(addresses))(*addresses)
        self._kept.append(table)
        self._operations.append([_STAGE_OF, self._library.stages[function], ctypes.addressof(table), *[0] * 8])

    def run(self, first: int, count: int, direction: int) -> None:
        """See `StepLoop.run`."""
        flat = [number for operation in self._operations for number in operation]
        threads, size = torch.get_num_threads(), self._rows * self._deepest
        scratch = torch.empty(threads * size, dtype=torch.int32)
        self._library.run(
            *((ctypes.c_longlong * len(flat))(*flat), len(self._operations), first, count, direction),
            *(self._rows, self._width, threads, scratch.data_ptr(), size),
        )


def operands(function: Function) -> tuple[str, ...]:
    """The quantities that a stage's table lists, in order: those it reads, then those it only writes."""
    asked = reads(function)
    _, results = c_statements(function, asked)
    return asked + tuple(name for name in results if name not in asked)


def write_stage(name: str, function: Function) -> str:
    """The C of a stage. Its table has for each operand address, time stride and row stride, in bytes."""
    asked = reads(function)
    lines, results = c_statements(function, asked)
    pad = " " * 12
    place = {operand: k for k, operand in enumerate(operands(function))}
    pointers = [
        f"{pad[4:]}REAL *restrict p{k} = (REAL *)(table[{3 * k}] + t * table[{3 * k + 1}] + row * table[{3 * k + 2}]);"
        for k in place.values()
    ]
    body = [f"{pad}const REAL in_{operand} = p{place[operand]}[j];" for operand in asked]
    body += [pad + line for line in lines]
    body += [f"{pad}p{place[result]}[j] = {variable};" for result, variable in results.items()]
    return _STAGE.format(name=name, pointers="\n".join(pointers), body="\n".join(body))


def write_c(functions: tuple[Function, ...]) -> str:
    """The whole of a program's C."""
    here = Path(native.__file__).parent
    window = (here / "loop.h").read_text(encoding="ascii")
    stages = "".join(write_stage(f"stage{index}", function) for index, function in enumerate(functions))
    types = [_BEGIN_TYPE.format(real=real) + window + stages + _END_TYPE for real in _SUFFIXES.values()]
    shared = [(here / name).read_text(encoding="ascii") for name in ("functions.h", "bfloat16.h")]
    return "".join([*shared, *types])


@cache
def library(functions: tuple[Function, ...], dtype: torch.dtype) -> Library | None:
    """The compiled code of a program's stages; None where it can't be had."""
    code = shared_library(write_c(functions)) if dtype in _SUFFIXES else None
    return None if code is None else Library(code, dtype, functions)

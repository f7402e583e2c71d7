"""Point-wise stages as compiled loops: C is written from the trace of a stage, compiled once and kept in the cache.

Torch runs a point-wise stage as one pass for each operation, with a temporary for each result; one loop of C does it
in one pass, and its call costs less than that of a single torch operation. Where there is no C compiler, or
CHARLM_NATIVE=0 says so, `library` is None and the stages run on tensors instead: slower, and the same.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch

from charlm.errors import CharlmError
from charlm.files import cache_folder
from charlm.kernels.expressions import trace
from charlm.kernels.program import Function, reads

logger = logging.getLogger(__name__)

_FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=c11", "-fPIC", "-shared")
_SUFFIXES = {torch.float32: "float", torch.float64: "double"}

_PRELUDE = r"""
#include <math.h>
#include <string.h>
#define INLINE static inline __attribute__((always_inline))
/* Operands never overlap; compilers give up on proving that for more than a few. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* exp: x = n ln 2 + r, a polynomial in r, times 2^n (Cephes); NaN goes through. No call, no branch: loops vectorise. */
INLINE float exp_float(float x) {
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    const float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    const int bits = ((int)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}
INLINE float sigmoid_float(float x) { return 1.0f / (1.0f + exp_float(-x)); }
/* tanh: an odd polynomial near 0, where 1 - 2 / (exp(2x) + 1) would cancel. */
INLINE float tanh_float(float x) {
    const float z = fabsf(x), s = x * x;
    const float near = ((((-5.70498872745e-3f * s + 2.06390887954e-2f) * s - 5.37397155531e-2f) * s
                         + 1.33314422036e-1f) * s - 3.33332819422e-1f) * s * x + x;
    const float far = copysignf(1.0f - 2.0f / (exp_float(2.0f * z) + 1.0f), x);
    return z < 0.625f ? near : far;
}
INLINE double sigmoid_double(double x) { return 1.0 / (1.0 + exp(-x)); }
INLINE double tanh_double(double x) { return tanh(x); }
"""

_LOOP = """
#define REAL {real}
#define SIGMOID sigmoid_{real}
#define TANH tanh_{real}
#define RELU(x) ((x) > 0 ? (x) : ((x) != (x) ? (x) : (REAL)0))
#define POSITIVE(x) ((REAL)((x) > 0))
void {name}_{real}(const long long *table, long first, long count, long direction, long rows, long width) {{
    for (long n = 0, t = first; n < count; n++, t += direction)
        for (long row = 0; row < rows; row++) {{
{pointers}
INDEPENDENT
            for (long j = 0; j < width; j++) {{
{body}
            }}
        }}
}}
#undef REAL
#undef SIGMOID
#undef TANH
#undef RELU
#undef POSITIVE
"""

Loop = Callable[[int, int, int, int, int, int], None]
"""loop(table, first, count, direction, rows, width): run a stage for `count` steps from `first` on."""


def operands(function: Function) -> tuple[str, ...]:
    """The quantities that a stage's table lists, in order: those it reads, then those it only writes."""
    asked = reads(function)
    _, results = trace(function, asked)
    return asked + tuple(name for name in results if name not in asked)


def write_c(name: str, function: Function) -> str:
    """The C of a stage, for float and double. Its table has for each operand address, time stride and row stride, in
    bytes; elements of a row are adjacent."""
    asked = reads(function)
    lines, results = trace(function, asked)
    pad = " " * 16
    pointers = [
        f"{pad[4:]}REAL *restrict p{k} = (REAL *)(table[{3 * k}] + t * table[{3 * k + 1}] + row * table[{3 * k + 2}]);"
        for k in range(len(operands(function)))
    ]
    place = {operand: k for k, operand in enumerate(operands(function))}
    body = [f"{pad}const REAL in_{operand} = p{place[operand]}[j];" for operand in asked]
    body += [pad + line for line in lines]
    body += [f"{pad}p{place[result]}[j] = {variable};" for result, variable in results.items()]
    return "".join(
        _LOOP.format(real=real, name=name, pointers="\n".join(pointers), body="\n".join(body))
        for real in _SUFFIXES.values()
    )


@cache
def compiler() -> str | None:
    """The C compiler: CC of the environment, or cc, gcc or clang; None where there is none or it's turned off."""
    if os.environ.get("CHARLM_NATIVE") == "0":
        return None
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((path for name in names if (path := shutil.which(name))), None)


@cache
def library(functions: tuple[Function, ...]) -> dict[Function, dict[torch.dtype, Loop]] | None:
    """Compiled loops for stage functions, by function and dtype; None where they can't be compiled."""
    command = compiler()
    if command is None:
        return None
    names = {function: f"stage{index}" for index, function in enumerate(functions)}
    source = _PRELUDE + "".join(write_c(name, function) for function, name in names.items())
    try:
        path = _compile(command, source)
        loaded = ctypes.CDLL(str(path))
    except (OSError, CharlmError, subprocess.SubprocessError) as error:
        logger.info("point-wise stages run through torch, since compiling them failed: %s", error)
        return None
    loops: dict[Function, dict[torch.dtype, Loop]] = {}
    for function, name in names.items():
        loops[function] = {}
        for dtype, real in _SUFFIXES.items():
            loop = getattr(loaded, f"{name}_{real}")
            loop.argtypes = [ctypes.c_void_p, *[ctypes.c_long] * 5]
            loop.restype = None
            loops[function][dtype] = loop
    return loops


def _compile(command: str, source: str) -> Path:
    """The shared library for a source: from the cache, or compiled, beside its place first and renamed when whole."""
    key = hashlib.sha256("\0".join((source, command, *_FLAGS, _processor())).encode()).hexdigest()
    target = cache_folder("native") / f"{key}.so"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        code, made = Path(folder) / "stages.c", Path(folder) / "stages.so"
        code.write_text(source, encoding="ascii")
        done = subprocess.run(
            [command, *_FLAGS, str(code), "-o", str(made), "-lm"], capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise CharlmError(f"{command}: {done.stderr.strip()[:200]}")
        os.replace(made, target)
    return target


def _processor() -> str:
    """What -march=native depends on: a cache on a shared home must not serve one machine's code to another."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        flags = [line for line in facts.splitlines() if line.startswith(("flags", "Features", "model name"))]
    except OSError:
        flags = [platform.processor()]
    return "\0".join((platform.system(), platform.machine(), *flags))


def table(places: Sequence[tuple[int, int, int]]) -> "ctypes.Array[ctypes.c_longlong]":
    """The table of a stage: address, time stride and row stride of each operand."""
    flat = [number for place in places for number in place]
    return (ctypes.c_longlong * len(flat))(*flat)

"""The compiled loops: their arithmetic, and what happens where nothing can be compiled."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from charlm.kernels import compiled as native
from charlm.kernels.buffers import Buffer
from charlm.kernels.gru import linear_scan
from charlm.kernels.program import gelu_of
from charlm.kernels.symbolic import positive, relu, sigmoid, tanh
from charlm.native import compiler as compilation
from charlm.native.compiler import compiler

compiled = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


def apply(function, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A compiled stage that reads `x` and writes `y`, on one row."""
    x = x.to(dtype).view(1, -1).contiguous()
    y = torch.full_like(x, 7.0)
    library = native.program_library((function,), dtype)
    assert library is not None
    window = native.CompiledLoop(library, 1, x.shape[1])
    window.stage(function, {"x": Buffer(x), "y": Buffer(y)})
    window.run(0, 1, 1)
    return y[0]


def check_products(library: native.Library, dtype: torch.dtype, rows: int, width: int, blocks: int, depth: int) -> None:
    """Of every step, added to what is there or put in its place, in a part of a wider matrix, transposed or not."""
    generator = torch.Generator().manual_seed(1)
    steps, n = 3, blocks * width
    source = torch.randn(steps + 1, rows, depth + 2, dtype=dtype, generator=generator)
    target = torch.randn(steps, rows, n + 5, dtype=dtype, generator=generator)
    matrix = torch.randn(n, depth, dtype=dtype, generator=generator)
    for add in (False, True):
        for weights in (matrix, matrix.T.contiguous().T):
            found = target.clone()
            window = native.CompiledLoop(library, rows, width)
            window.product(Buffer(source[..., 1:-1], 1), weights, Buffer(found[..., 2 : 2 + n]), add=add)
            window.run(steps - 1, steps, -1)
            wanted = target.clone()
            wanted[..., 2 : 2 + n] = source[1:, :, 1:-1] @ matrix.T + (wanted[..., 2 : 2 + n] if add else 0)
            torch.testing.assert_close(found, wanted)


SHAPES = [(1, 1, 1, 1), (13, 70, 3, 9), (29, 32, 2, 40)]


@compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_are_those_of_torch(dtype: torch.dtype, threads: int, shape: tuple[int, int, int, int]) -> None:
    torch.set_num_threads(threads)
    library = native.program_library((of_tanh,), dtype)
    assert library is not None
    check_products(library, dtype, *shape)


@compiled
@pytest.mark.parametrize("narrower", ["-mno-avx512f", "-mno-avx"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_narrower_vectors_give_the_same(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, narrower: str) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("no such flags here")
    monkeypatch.setenv("CC", f"{compiler()} {narrower}")
    monkeypatch.setattr(compilation, "compiler", compiler.__wrapped__)
    code = compilation.shared_library.__wrapped__(native.write_c((of_tanh,)))
    assert code is not None
    library = native.Library(code, dtype, (of_tanh,))
    assert library.panel * dtype.itemsize <= (64 if narrower == "-mno-avx512f" else 32)
    torch.set_num_threads(2)
    for shape in SHAPES:
        check_products(library, dtype, *shape)


def check_products_in_pairs(library: native.Library, rows: int, width: int, blocks: int, depth: int) -> None:
    """As `check_products`, of numbers rounded to bfloat16."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randn(3, rows, depth + 2, generator=generator)
    target = torch.randn(2, rows, blocks * width + 5, generator=generator)
    matrix = torch.randn(blocks * width, depth, generator=generator)
    exact = source[1:, :, 1:-1].bfloat16().double() @ matrix.bfloat16().double().T
    for add in (False, True):
        for weights in (matrix, matrix.T.contiguous().T):
            found = target.clone()
            window = native.CompiledLoop(library, rows, width, bfloat16=True)
            window.product(Buffer(source[..., 1:-1], 1), weights, Buffer(found[..., 2:-3]), add=add)
            window.run(1, 2, -1)
            wanted = target.double()
            wanted[..., 2:-3] = exact + (wanted[..., 2:-3] if add else 0)
            torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5)


@compiled
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [*SHAPES, (16, 32, 1, 32), (49, 72, 2, 75), (64, 64, 3, 64)], ids=str)
def test_products_in_pairs_are_those_of_rounded_numbers(threads: int, shape: tuple[int, int, int, int]) -> None:
    torch.set_num_threads(threads)
    library = native.program_library((of_tanh,), torch.float32)
    assert library is not None
    if not library.has_bfloat16:
        pytest.skip("no instructions for bfloat16 here")
    check_products_in_pairs(library, *shape)


def matrix_registers() -> bool:
    """Whether the processor has matrix registers, and Linux hands them out."""
    facts = Path("/proc/cpuinfo")
    if not facts.exists() or " amx_bf16" not in facts.read_text(encoding="utf-8", errors="replace"):
        return False
    arch_prctl, request, matrices = 158, 0x1023, 18
    return ctypes.CDLL(None).syscall(arch_prctl, request, matrices) == 0


@compiled
@pytest.mark.skipif(not matrix_registers(), reason="no matrix registers here")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(16, 32, 1, 32), (49, 72, 2, 75)], ids=str)
def test_matrix_registers_are_asked_for_and_done_without(threads: int, shape: tuple[int, int, int, int]) -> None:
    torch.set_num_threads(threads)
    source = native.write_c((of_tanh,))
    refusing = "#define REQUEST_MATRICES 0x7fffffff\n" + source
    given, refused = (compilation.shared_library(text) for text in (source, refusing))
    assert given is not None and refused is not None
    assert native.Library(given, torch.float32, (of_tanh,)).has_amx
    library = native.Library(refused, torch.float32, (of_tanh,))
    assert library.has_bfloat16 and not library.has_amx
    check_products_in_pairs(library, *shape)


def of_sigmoid(x):
    return {"y": sigmoid(x)}


def of_tanh(x):
    return {"y": tanh(x)}


def of_relu(x):
    return {"y": relu(x)}


def of_slope(x):
    return {"y": positive(x)}


RANGE = torch.cat((torch.linspace(-120, 120, 4801), torch.linspace(-1, 1, 2001), torch.logspace(-8, 0, 200))).double()


@compiled
@pytest.mark.parametrize(("function", "exact"), [(of_sigmoid, torch.sigmoid), (of_tanh, torch.tanh)])
def test_functions_are_those_of_torch(function, exact) -> None:
    torch.testing.assert_close(apply(function, RANGE, torch.float64), exact(RANGE), rtol=1e-14, atol=1e-300)
    single = RANGE.float()
    torch.testing.assert_close(
        apply(function, RANGE, torch.float32).double(), exact(single.double()), rtol=4e-7, atol=1e-37
    )


@compiled
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_gelu_is_that_of_torch(dtype: torch.dtype, tolerance: float) -> None:
    special = torch.tensor([float("nan"), float("inf"), 0.0], dtype=torch.float64)
    inner = torch.cat((RANGE, special)).to(dtype).unsqueeze(0)
    exact = torch.nn.functional.gelu(inner.double())
    library = native.program_library((gelu_of,), dtype)
    assert library is not None
    loop = native.CompiledLoop(library, *inner.shape)
    loop.stage(gelu_of, {"inner": Buffer(inner)})
    loop.run(0, 1, 1)
    torch.testing.assert_close(inner.double(), exact, rtol=tolerance, atol=tolerance, equal_nan=True)


@compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_not_a_number_stays_so_and_infinity_is_a_limit(dtype: torch.dtype) -> None:
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    for function, exact in ((of_sigmoid, torch.sigmoid), (of_tanh, torch.tanh), (of_relu, torch.relu)):
        found = apply(function, special, dtype)
        torch.testing.assert_close(found, exact(special.to(dtype)), equal_nan=True, rtol=0, atol=1e-37)
    assert apply(of_slope, special, dtype)[1:].tolist() == [1, 0, 0]


@pytest.mark.parametrize("environment", [{"CHARLM_NATIVE": "0"}, {"CC": "no-such-compiler"}], ids=str)
def test_without_a_compiler_everything_goes_on(environment: dict[str, str]) -> None:
    code = (
        "import torch\n"
        "from charlm.config import ModelConfig\n"
        "from charlm.kernels import compiled\n"
        "from charlm.model.language_model import LanguageModel\n"
        "from charlm.model.precision import training_precision\n"
        "from charlm.native.compiler import compiler\n"
        "for cell in ('rnn', 'lstm', 'gru', 'gru-reset-after'):\n"
        "    for precision in ('float32', 'bfloat16'):\n"
        "        model = LanguageModel(ModelConfig(vocab_size=9, cell=cell, hidden_size=8))\n"
        "        model.initialise(torch.Generator().manual_seed(1))\n"
        "        with training_precision(model, precision):\n"
        "            logits, _ = model(torch.zeros(3, 2, dtype=torch.int64))\n"
        "        logits.sum().backward()\n"
        "        finite = all(x.isfinite().all() for x in (logits, *(p.grad for p in model.parameters())))\n"
        "        print(cell, precision, compiler(), compiled.program_library((), torch.float32), finite)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 8 and all(line.endswith(" None None True") for line in lines), done.stdout


def test_a_compiler_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(compilation, "compiler", lambda: str(broken))
    assert compilation.shared_library("int one(void) { return 1; }") is None
    compilation.shared_library.cache_clear()


@compiled
def test_a_library_is_compiled_once_and_kept(tmp_path: Path) -> None:
    compilation.shared_library.cache_clear()
    native.program_library.cache_clear()
    assert native.program_library((of_tanh,), torch.float32) is not None
    (kept,) = (tmp_path / "cache" / "native").glob("*.so")
    before = kept.stat().st_mtime_ns
    compilation.shared_library.cache_clear()
    native.program_library.cache_clear()
    assert native.program_library((of_tanh,), torch.float32) is not None
    assert kept.stat().st_mtime_ns == before
    native.program_library.cache_clear()


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 33])
def test_a_scan_is_the_recurrence(steps: int) -> None:
    keep = torch.rand(steps, 2, 3, dtype=torch.float64, requires_grad=True)
    new = torch.randn(steps, 2, 3, dtype=torch.float64, requires_grad=True)
    h, expected = torch.zeros(2, 3, dtype=torch.float64), []
    for t in range(steps):
        h = keep[t] * h + new[t]
        expected.append(h)
    found = linear_scan(keep, new)
    torch.testing.assert_close(found, torch.stack(expected))
    for one, other in zip(
        torch.autograd.grad(found.sum() + 0 * keep.sum(), [keep, new]),
        torch.autograd.grad(torch.stack(expected).sum(), [keep, new]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)

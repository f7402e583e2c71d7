"""Portable probabilities: other instruction sets, other numbers of threads, and no compiler give the same archive."""

import platform
from pathlib import Path

import pytest
import torch

from charlm.compression import compress, decompress
from charlm.compression.portable import portable_stepper
from charlm.kernels import compiled
from charlm.native import compiler as compilation
from charlm.native import library
from charlm.native.compiler import compiler

TEXT = b"owl and the owl, a 3 of owls. owl and the owl!\xff"
INSTRUCTIONS = {
    "x86_64": ("-mno-avx512f", "-mno-avx512f -mno-avx2 -mno-fma", "-mno-avx", "-O1"),
    "aarch64": ("-O1",),
}.get(platform.machine(), ("-O1",))

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


@pytest.fixture
def compile_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Compile all code with other flags from now on, which come after those of charlm."""

    def compile_with(flags: str) -> None:
        script = tmp_path / "compiler"
        script.write_text(f'#!/bin/sh\nexec {compiler()} "$@" {flags}\n')
        script.chmod(0o755)
        monkeypatch.setenv("CC", str(script))
        monkeypatch.setattr(compilation, "compiler", compiler.__wrapped__)
        monkeypatch.setattr(compiled, "shared_library", shared := compilation.shared_library.__wrapped__)
        monkeypatch.setattr(library, "shared_library", shared)
        forget()

    def forget() -> None:
        compiled.portable_library.cache_clear()
        library.native_library.cache_clear()

    yield compile_with
    forget()


@pytest.mark.parametrize("flags", INSTRUCTIONS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "mlstm"])
def test_builds_for_other_instructions_write_the_same_archive(
    model_for, dataset, everything, compile_with, flags: str, cell: str
) -> None:
    model = model_for(dataset, cell=cell, hidden_size=37, embedding_size=20, **everything)
    before = compress(TEXT, model)
    stepper = portable_stepper(model.model)
    logits = [stepper.step([token]).copy() for token in range(10)]
    compile_with(flags)
    other = portable_stepper(model.model)
    assert all((other.step([token]) == row).all() for token, row in enumerate(logits))
    assert compress(TEXT, model) == before
    assert decompress(before, model) == TEXT


@pytest.mark.parametrize("threads", [2, 4])
def test_any_number_of_threads_writes_the_same_archive(model_for, dataset, everything, threads: int) -> None:
    model = model_for(dataset, hidden_size=130, **everything)
    torch.set_num_threads(1)
    before = compress(TEXT, model)
    torch.set_num_threads(threads)
    assert compress(TEXT, model) == before
    assert decompress(before, model) == TEXT


@pytest.mark.parametrize("kind", ["recurrent", "convolution"])
def test_without_compiled_code_the_archive_is_the_same(
    model_for, dataset, everything, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    model = model_for(dataset, network=kind, **everything)
    before = compress(TEXT, model)
    for place in ("compression.coder", "compression.codec", "sampling.steppers.compiled", "ngram.match"):
        monkeypatch.setattr(f"charlm.{place}.native_library", lambda portable=False: None)
    assert compress(TEXT, model) == before
    assert decompress(before, model) == TEXT

"""The libraries of a wheel: the best that the processor can run is loaded, and only as it was built."""

import platform
from pathlib import Path

import pytest
import torch

from charlm.kernels import compiled as kernels
from charlm.kernels.buffers import Buffer
from charlm.kernels.program import residual_sum
from charlm.native import compiler as compilation
from charlm.native import prebuilt
from charlm.native.compiler import build_libraries
from charlm.native.prebuilt import VARIANTS, Variant, processor_facts, supported

HERE = supported(platform.machine(), processor_facts())
SOURCE = "int answer(void) { return 42; }"
V2 = "fpu sse sse2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
V3 = f"{V2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"

pytestmark = pytest.mark.skipif(
    compilation.compiler() is None or platform.system() != "Linux" or not HERE, reason="no wheel can be built here"
)


@pytest.mark.parametrize(
    ("machine", "facts", "best"),
    [
        ("x86_64", {"flags": f"{V4} avx512_bf16 amx_tile amx_bf16"}, "amx"),
        ("x86_64", {"flags": f"{V4} avx512_bf16"}, "v4-bf16"),
        ("x86_64", {"flags": V4}, "v4"),
        ("x86_64", {"flags": f"{V3} avx512f avx_vnni"}, "v3"),
        ("x86_64", {"flags": f"{V2} avx"}, "v2"),
        ("x86_64", {"flags": "fpu sse sse2"}, None),
        ("x86_64", {}, None),
        ("aarch64", {"Features": "fp asimd evtstrm"}, "neon"),
        ("riscv64", {"isa": "rv64imafdcv"}, None),
    ],
)
def test_the_best_variant_is_chosen_by_what_the_processor_has(machine: str, facts: dict[str, str], best) -> None:
    found = supported(machine, facts)
    assert (found[0].name if found else None) == best
    assert [*VARIANTS.get(machine, ())][-len(found) :] == found or not found  # what runs the best runs the others


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a wheel in which the library of `SOURCE` is, on a machine without a compiler, in a new process."""
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    build_libraries([SOURCE], prebuilt.FOLDER)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path / "own-cache"))
    for module, name in ((compilation, "compiler"), (compilation, "shared_library"), (prebuilt, "chosen_variant")):
        monkeypatch.setattr(module, name, compilation.cache(getattr(module, name).__wrapped__))
    return prebuilt.FOLDER


def test_no_compiler_is_needed(folder: Path, tmp_path: Path) -> None:
    assert compilation.compiler() is None
    code = compilation.shared_library(SOURCE)
    assert code is not None and code.answer() == 42
    assert not (tmp_path / "own-cache").exists()
    names = sorted(path.name.rsplit(".", 2)[1] for path in folder.glob("*.so"))
    assert names == sorted(variant.name for variant in VARIANTS[platform.machine()])
    assert compilation.shared_library(SOURCE + "\n") is None


@pytest.mark.parametrize("setting", ["0", "compile"])
def test_it_can_be_turned_off(folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("CHARLM_NATIVE", setting)
    assert compilation.shared_library(SOURCE) is None


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "gone", "checksums"])
def test_a_damaged_library_is_not_loaded(folder: Path, monkeypatch, caplog, damage: str) -> None:
    path = folder / prebuilt.file_name(SOURCE, HERE[0])
    content = path.read_bytes()
    half = len(content) // 2
    if damage == "gone":
        path.unlink()
    elif damage == "checksums":
        (folder / prebuilt.CHECKSUMS).write_text("[")
    else:
        flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        path.write_bytes({"cut": content[:half], "empty": b"", "flip": flipped}[damage])
    assert compilation.shared_library(SOURCE) is None
    assert len(caplog.messages) == 1 and "install charlm again" in caplog.text


def test_a_clone_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    assert prebuilt.chosen_variant.__wrapped__() is None


@pytest.mark.parametrize("variant", HERE, ids=lambda variant: variant.name)
def test_every_variant_computes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: Variant) -> None:
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path)
    monkeypatch.setattr(prebuilt, "chosen_variant", lambda: variant)
    monkeypatch.setitem(VARIANTS, platform.machine(), (variant,))
    source = kernels.write_c((residual_sum,))
    build_libraries([source], tmp_path)
    code = prebuilt.prebuilt_library(source)
    assert code is not None
    library = kernels.Library(code, torch.float32, (residual_sum,))
    x, w = torch.randn(13, 9), torch.randn(70, 9)
    for bfloat16 in {False, library.has_bfloat16}:
        loop, out = kernels.CompiledLoop(library, 13, 70, bfloat16=bfloat16), torch.zeros(1, 13, 70)
        loop.product(Buffer(x[None]), w, Buffer(out), add=False)
        loop.stage(residual_sum, {"layer_input": Buffer(out), "layer_output": Buffer(out), "next_input": Buffer(out)})
        loop.run(0, 1, 1)
        operands = (x.bfloat16().float(), w.bfloat16().float()) if bfloat16 else (x, w)
        torch.testing.assert_close(out[0], 2 * operands[0] @ operands[1].T, rtol=1e-4, atol=1e-4)
    assert library.has_bfloat16 == (variant.name in ("amx", "v4-bf16"))

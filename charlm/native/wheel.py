"""Compiles C sources for every kind of processor, for a wheel."""

import json
import os
import platform
import shlex
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from charlm.errors import CharlmError
from charlm.native.compiler import FLAGS, compiler
from charlm.native.prebuilt import CHECKSUMS, SOURCES, VARIANTS, Variant, file_name, library_facts


def build_libraries(sources: Iterable[str], folder: Path) -> None:
    """Compile sources for every variant of this machine's architecture, and write them to a folder with checksums.

    The libraries run on any Linux machine: OpenMP and the mathematical functions are not linked, because torch has
    loaded them. Raises `CharlmError` without a compiler, and `subprocess.CalledProcessError` when it fails.
    """
    if (command := compiler()) is None:
        raise CharlmError("there is no C compiler to build a wheel with; install gcc, or set CC")
    folder.mkdir(parents=True, exist_ok=True)
    build = partial(_build, shlex.split(command), folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(source, variant) for source in sources for variant in VARIANTS[platform.machine()]]
        paths = [*pool.map(lambda job: build(*job), jobs)]
    checksums = {path.name: library_facts(path.read_bytes()) for path in paths}
    (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=1), encoding="ascii")


def _build(command: list[str], folder: Path, source: str, variant: Variant) -> Path:
    """Compile a source for a variant."""
    target = folder / file_name(source, variant)
    code, compiled = target.with_suffix(".c"), target.with_suffix(".o")
    code.write_text(source, encoding="ascii")
    flags = (*FLAGS, *variant.flags, "-fopenmp", f"-I{SOURCES}")
    subprocess.run([*command, *flags, "-c", str(code), "-o", str(compiled)], check=True)
    subprocess.run([*command, "-shared", "-s", str(compiled), "-o", str(target)], check=True)
    code.unlink()
    compiled.unlink()
    return target

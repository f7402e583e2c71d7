"""Compiles C code at first use and keeps it in the cache, where there is a C compiler."""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from charlm.errors import CharlmError
from charlm.files import cache_folder

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
"""The C sources and headers; generated code includes the headers by name."""
_FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-fPIC", "-shared")


@cache
def compiler() -> str | None:
    """The C compiler: the environment variable CC, or cc, gcc or clang; None if there is none or it is turned off."""
    if os.environ.get("CHARLM_NATIVE") == "0":
        return None
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((path for name in names if (path := shutil.which(name))), None)


@cache
def shared_library(source: str) -> ctypes.CDLL | None:
    """C code, compiled and loaded, with OpenMP if the compiler has it; None if it can't be compiled."""
    command = compiler()
    if command is None:
        return None
    for threads in (("-fopenmp",), ()):
        try:
            return ctypes.CDLL(str(_compile((command, *_FLAGS, *threads), source)))
        except (OSError, CharlmError, subprocess.SubprocessError) as error:
            logger.info("compiling failed: %s", error)
    return None


def _compile(command: tuple[str, ...], source: str) -> Path:
    """The shared library of a source: from the cache, or compiled to a temporary file and renamed when complete."""
    key = hashlib.sha256("\0".join((source, _included(), *command, _processor())).encode()).hexdigest()
    target = cache_folder("native") / f"{key}.so"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        code, made = Path(folder) / "program.c", Path(folder) / "program.so"
        code.write_text(source, encoding="ascii")
        done = subprocess.run(
            [*command, f"-I{FOLDER}", str(code), "-o", str(made), "-lm"], capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise CharlmError(f"{command[0]}: {done.stderr.strip()[:200]}")
        os.replace(made, target)
    return target


@cache
def _included() -> str:
    """All that a source may include."""
    paths = sorted([*FOLDER.glob("*.h"), *FOLDER.glob("*.c")])
    return "\0".join(path.read_text(encoding="ascii") for path in paths)


def _processor() -> str:
    """What -march=native depends on: a cache on a shared home must not serve one machine's code to another."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        flags = [line for line in facts.splitlines() if line.startswith(("flags", "Features", "model name"))]
    except OSError:
        flags = [platform.processor()]
    return "\0".join((platform.system(), platform.machine(), *flags))

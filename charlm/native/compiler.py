"""Compiles C code at first use and caches the result, if there is a C compiler."""

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
    """The path of the C compiler: CC from the environment, or else cc, gcc or clang.

    None if there is no compiler, or if CHARLM_NATIVE=0 turns compiled code off.
    """
    if os.environ.get("CHARLM_NATIVE") == "0":
        return None
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((path for name in names if (path := shutil.which(name))), None)


@cache
def shared_library(source: str) -> ctypes.CDLL | None:
    """Compile C code and load it, with OpenMP if the compiler supports it; None if it can't be compiled."""
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
    """The shared library of a source, from the cache or newly compiled.

    A new library is renamed into the cache when it is complete, so that an interrupted process leaves nothing broken.
    """
    key = hashlib.sha256("\0".join((source, _included(), *command, _processor())).encode()).hexdigest()
    target = cache_folder("native") / f"{key}.so"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        code, compiled = Path(folder) / "program.c", Path(folder) / "program.so"
        code.write_text(source, encoding="ascii")
        done = subprocess.run(
            [*command, f"-I{FOLDER}", str(code), "-o", str(compiled), "-lm"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise CharlmError(f"{command[0]}: {done.stderr.strip()[:200]}")
        os.replace(compiled, target)
    return target


@cache
def _included() -> str:
    """The text of every file that a source can include."""
    paths = sorted([*FOLDER.glob("*.h"), *FOLDER.glob("*.c")])
    return "\0".join(path.read_text(encoding="ascii") for path in paths)


def _processor() -> str:
    """The processor that -march=native compiles for, so that machines with a shared home folder don't share code."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        flags = [line for line in facts.splitlines() if line.startswith(("flags", "Features", "model name"))]
    except OSError:
        flags = [platform.processor()]
    return "\0".join((platform.system(), platform.machine(), *flags))

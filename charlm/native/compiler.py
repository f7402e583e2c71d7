"""C code that is compiled at first use and kept in the cache, where there is a C compiler."""

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

_FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-fPIC", "-shared")


@cache
def compiler() -> str | None:
    """The C compiler: CC of the environment, or cc, gcc or clang; None where there is none or it's turned off."""
    if os.environ.get("CHARLM_NATIVE") == "0":
        return None
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((path for name in names if (path := shutil.which(name))), None)


@cache
def shared_library(source: str) -> ctypes.CDLL | None:
    """C code, compiled and loaded, with OpenMP where there is that; None where it can't be had."""
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
    """The shared library for a source: from the cache, or compiled, beside its place first and renamed when whole."""
    key = hashlib.sha256("\0".join((source, *command, _processor())).encode()).hexdigest()
    target = cache_folder("native") / f"{key}.so"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        code, made = Path(folder) / "program.c", Path(folder) / "program.so"
        code.write_text(source, encoding="ascii")
        done = subprocess.run(
            [*command, str(code), "-o", str(made), "-lm"], capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise CharlmError(f"{command[0]}: {done.stderr.strip()[:200]}")
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

"""Compiles C code at first use and caches the result, if there is a C compiler; a wheel has it compiled already.

Code is loaded only as it was compiled by this user: next to each library is a file with its size and hash, and nobody
else may be able to write to the folder.
"""

import atexit
import contextlib
import ctypes
import hashlib
import json
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from charlm.errors import CharlmError
from charlm.files import atomic_write, cache_folder, flush, open_regular, parse_object
from charlm.native.prebuilt import (
    CHECKSUMS,
    SOURCES,
    VARIANTS,
    Variant,
    file_name,
    included,
    library_facts,
    prebuilt_library,
    processor_facts,
    source_flags,
)

logger = logging.getLogger(__name__)

COMPILE_SECONDS = 20.0
"""Time that a process may lose to compilations that fail, all together; then it does without compiled code."""

_FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-fPIC")


@cache
def compiler() -> str | None:
    """The command of the C compiler: CC from the environment, which may have arguments, or else cc, gcc or clang.

    None if there is no compiler, or if CHARLM_NATIVE=0 turns compiled code off.
    """
    if os.environ.get("CHARLM_NATIVE") == "0":
        return None
    if not (chosen := os.environ.get("CC")):
        return next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    try:
        name, *arguments = shlex.split(chosen, posix=os.name == "posix")
    except ValueError:  # quotes that aren't closed, or blanks alone
        name, arguments = chosen, []
    if (path := shutil.which(name)) is None:
        logger.warning("CC is %r, which is not a program here, so charlm runs without compiled code", chosen)
        return None
    return shlex.join([path, *arguments])


@cache
def shared_library(source: str) -> ctypes.CDLL | None:
    """The library of a C source: from the wheel, from the cache, or compiled; None if it can't be compiled.

    It uses OpenMP if the compiler supports it. CHARLM_NATIVE=compile makes no use of what is in the wheel.
    """
    if (prebuilt := prebuilt_library(source)) is not None:
        return prebuilt
    command = compiler()
    if command is None:
        return None
    for threads in (("-fopenmp",), ()):
        try:
            flags = (*_FLAGS, *source_flags(source), "-march=native", "-shared", *threads)
            return ctypes.CDLL(str(_compile((*shlex.split(command), *flags), source)))
        except (OSError, CharlmError) as error:
            logger.info("compiling failed: %s", error)
    return None


def build_libraries(sources: Iterable[str], folder: Path) -> None:
    """Compile sources for every variant of this machine's architecture, and write them to a folder with checksums.

    The libraries run on any Linux machine: OpenMP and the mathematical functions are not linked, because torch has
    loaded them. Raises `CharlmError` without a compiler, and `subprocess.CalledProcessError` when it fails.
    """
    if (command := compiler()) is None:
        raise CharlmError("there is no C compiler to build a wheel with; install gcc, or set CC")
    folder.mkdir(parents=True, exist_ok=True)
    build = partial(_build_library, shlex.split(command), folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(source, variant) for source in sources for variant in VARIANTS[platform.machine()]]
        paths = [*pool.map(lambda job: build(*job), jobs)]
    checksums = {path.name: library_facts(path.read_bytes()) for path in paths}
    (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=1), encoding="ascii")


def _build_library(command: list[str], folder: Path, source: str, variant: Variant) -> Path:
    """Compile a source for a variant."""
    target = folder / file_name(source, variant)
    code, compiled = target.with_suffix(".c"), target.with_suffix(".o")
    code.write_text(source, encoding="ascii")
    flags = (*_FLAGS, *source_flags(source), *variant.flags, "-fopenmp", f"-I{SOURCES}")
    subprocess.run([*command, *flags, "-c", str(code), "-o", str(compiled)], check=True)
    subprocess.run([*command, "-shared", "-s", str(compiled), "-o", str(target)], check=True)
    code.unlink()
    compiled.unlink()
    return target


def _compile(command: tuple[str, ...], source: str) -> Path:
    """The shared library of a source, from the cache or newly compiled.

    A new library is renamed into the cache when it is complete, so that an interrupted process leaves nothing broken.
    """
    key = hashlib.sha256("\0".join((source, included(), *command, _processor())).encode()).hexdigest()
    target = _trusted(cache_folder("native", private=True)) / f"{key}.so"
    if _is_sound(target):
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        code, compiled, messages = (Path(folder) / name for name in ("program.c", "program.so", "messages"))
        code.write_text(source, encoding="ascii")
        if _run([*command, f"-I{SOURCES}", str(code), "-o", str(compiled), "-lm"], messages) != 0:
            said = " ".join(messages.read_bytes().decode(errors="replace").split())
            raise CharlmError(f"{shlex.join(command[:1])}: {said[:200]}")
        compiled.chmod(0o700)
        flush(compiled)
        facts = library_facts(compiled.read_bytes())
        os.replace(compiled, target)
    atomic_write(_facts_path(target), json.dumps(facts).encode())
    return target


def _is_sound(library: Path) -> bool:
    """Whether a library is in the cache as it was compiled, and only this user can have changed it."""
    try:
        facts = parse_object(_facts_path(library).read_bytes())
        with os.fdopen(open_regular(library, os.O_RDONLY), "rb") as file:
            return _is_private(os.fstat(file.fileno())) and facts == library_facts(file.read())
    except (OSError, ValueError):
        return False


def _facts_path(library: Path) -> Path:
    return library.with_suffix(".json")


@cache
def _trusted(folder: Path) -> Path:
    """The folder if only this user can write to it, otherwise a temporary one of this process."""
    if _is_private(folder.stat()):
        return folder
    other = Path(tempfile.mkdtemp(prefix="charlm-native-"))
    atexit.register(_remove, other, os.getpid())
    logger.warning(
        "other users can write to %s, so compiled code is not kept there, and compiling takes time in every command; "
        "run `chmod go-w %s` if the folder is yours, or set CHARLM_CACHE to another",
        folder,
        folder,
    )
    return other


def _remove(folder: Path, process: int) -> None:
    """Remove the folder of a process at its end, which isn't that of a fork of it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _is_private(status: os.stat_result) -> bool:
    """Whether a file belongs to this user, and only they can write to it; Windows has no such modes."""
    return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


@dataclass
class _Clock:
    """The time that was lost to compilations that failed."""

    seconds: float = 0.0


@cache
def _clock() -> _Clock:
    """The clock of this process."""
    return _Clock()


def _run(command: list[str], messages: Path) -> int:
    """Run a compiler within the time that is left, its messages going to a file, and return its exit status.

    It has a session of its own, so that all its processes can be ended, and its messages are no pipe, which a process
    that outlives it could keep open. Raises `CharlmError` when the time is over.
    """
    clock, started = _clock(), time.monotonic()
    left = COMPILE_SECONDS - clock.seconds
    if left <= 0:
        raise CharlmError("no time is left to compile")
    with messages.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    status = None
    try:
        status = process.wait(left)
    except subprocess.TimeoutExpired:
        logger.warning(
            "the C compiler was stopped after %.0f seconds (%s), so charlm runs without compiled code, which is "
            "slower; set CC to another compiler, or CHARLM_NATIVE=0 to do without",
            left,
            command[0],
        )
        raise CharlmError(f"{command[0]} takes too long") from None
    finally:
        if status is None:
            _end(process)
        if status != 0:
            clock.seconds += time.monotonic() - started
    return status


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    if os.name == "nt":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _processor() -> str:
    """The processor that -march=native compiles for, so that machines with a shared home folder don't share code."""
    known = processor_facts() or {"flags": platform.processor()}
    flags = [f"{name}: {known[name]}" for name in ("flags", "Features", "model name") if name in known]
    return "\0".join((platform.system(), platform.machine(), *flags))

"""What the probabilities of a model depend on when they are not portable."""

import hashlib
import platform
from pathlib import Path

import torch

from charlm import __version__
from charlm.ngram.native_code import native_library


def machine() -> str:
    """Four words, which differ if the last bits of a model's probabilities may: instruction set, version of torch, a
    hash of the processor's family, all versions and the compiled code, and threads. They are short, since they take
    their bytes in an archive."""
    code = native_library()
    programs = (platform.machine(), __version__, torch.__version__, "" if code is None else Path(code._name).name)
    name = hashlib.sha256("\0".join(programs).encode()).hexdigest()[:6]
    version, capability = torch.__version__.partition("+")[0], torch.backends.cpu.get_cpu_capability()
    return f"{capability.replace(' ', '-')} {version} {name} {torch.get_num_threads()}"


def described(machine: str) -> str:
    """The words of `machine`, with what they mean; older archives have other words, which are shown as they are."""
    try:
        capability, version, name, threads = machine.split(" ")
    except ValueError:
        return machine
    return f"{capability}, torch {version}, code {name}, threads {threads}"
